#!/bin/sh
# Checks the schemas of a change in CI: findings beside their lines, reports as files, a summary for the page of the run.
#
# PAVANE           the program; default: pavane
# PAVANE_BASE      the revision that the change will be merged into; default: what Git knows as the main branch
# PAVANE_REGISTRY  a registry whose versions count too; default: none
# PAVANE_MODE      the level of compatibility; default: full-transitive
# PAVANE_REPORTS   the folder for pavane.sarif, pavane-junit.xml, gl-code-quality-report.json; default: none are written
#
# Ends as `pavane schemas check` does: 0 nothing breaks, 1 something does, 2 usage, 3 unreadable, 4 no registry.
set -u
program=${PAVANE:-pavane}
base=${PAVANE_BASE:-}
mode=${PAVANE_MODE:-full-transitive}

check() {
    form=$1
    set -- schemas check --format "$form" --mode "$mode"
    if [ -n "$base" ]; then
        set -- "$@" "--base=$base"
    fi
    "$program" "$@"
}

form=human
if [ "${GITHUB_ACTIONS:-}" = true ]; then
    form=github
fi
check "$form"
ended=$?
if [ "$ended" -gt 1 ]; then
    exit "$ended"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    check markdown >>"$GITHUB_STEP_SUMMARY"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    if [ "$ended" -eq 0 ]; then word=true; else word=false; fi
    echo "compatible=$word" >>"$GITHUB_OUTPUT"
fi
if [ -n "${PAVANE_REPORTS:-}" ]; then
    mkdir -p "$PAVANE_REPORTS" || exit 3
    check sarif >"$PAVANE_REPORTS/pavane.sarif"
    check junit >"$PAVANE_REPORTS/pavane-junit.xml"
    check gitlab >"$PAVANE_REPORTS/gl-code-quality-report.json"
    check markdown >"$PAVANE_REPORTS/pavane.md"
fi
exit "$ended"
