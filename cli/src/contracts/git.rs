//! What Git knows of an earlier state, asked of the `git` program itself.
//!
//! A pull request may come from anyone, and so may all that lies in the checkout. So: arguments, never a shell; names that
//! begin with a dash are no options; objects are read by their ids alone, so that no filter, hook, pager, external
//! difference or attribute of the repository is ever run; nothing is fetched, and nothing is written.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::Exit;
use crate::failure::Failure;

/// The most files that are read of one state.
const MOST_FILES: usize = 20_000;

/// The most versions of one file that are told.
const MOST_VERSIONS: usize = 50;

/// The most bytes that are read of one file: more is no schema.
const MOST_BYTES: u64 = 256 * 1024;

/// What to do where the commit that a change began with is not there.
const FETCH_ALL: &str = "fetch the full history and the branch: `fetch-depth: 0` or `GIT_DEPTH: \"0\"` in CI, else \
                         `git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'`; then name it with --base";

/// A checkout.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Its outermost folder, without links in the path.
    pub top: PathBuf,
}

/// A file of an earlier state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The path from the outermost folder, with `/` between its parts.
    pub path: String,
    /// What it held.
    pub text: String,
}

/// A file as a commit left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The commit, shortened.
    pub commit: String,
    /// The day of the commit, as it says itself.
    pub day: String,
    /// What the file held.
    pub text: String,
}

impl Checkout {
    /// The checkout that a folder lies in; none where there is none, or no Git.
    pub fn around(folder: &Path) -> Option<Self> {
        let output = git(folder).args(["rev-parse", "--show-toplevel"]).output().ok()?;
        let top = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        let top = PathBuf::from(top.trim_end_matches(['\n', '\r']));
        Some(Self { top: std::fs::canonicalize(&top).unwrap_or(top) })
    }

    /// The commit in which the checkout and a revision part; or why there is none.
    pub fn merge_base(&self, revision: &str) -> Result<String, Failure> {
        let commit = self.commit(revision).ok_or_else(|| {
            Failure::new(Exit::Invalid, format!("Git knows no commit {revision:?}"))
                .help("fetch it (in CI: the full history, `fetch-depth: 0`), or name another with --base")
        })?;
        let base = self.ask(&["merge-base", &commit, "HEAD"]);
        base.ok_or_else(|| {
            let shallow =
                if self.is_shallow() { ": this clone is shallow, its history was cut off" } else { "" };
            Failure::new(
                Exit::Invalid,
                format!("{revision} and the checkout have no commit in common{shallow}"),
            )
            .help(FETCH_ALL)
        })
    }

    /// The first of the usual names of the main branch that Git knows; the last commit where it knows none. A shallow
    /// clone that knows none hides where the change began: then nothing may pass as unchanged.
    pub fn usual_base(&self) -> Result<Option<String>, Failure> {
        let usual = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
        if let Some(name) = usual.into_iter().find(|name| self.commit(name).is_some()) {
            return Ok(Some(name.to_owned()));
        }
        if self.is_shallow() {
            let what =
                "this clone is shallow and knows no main branch: what the change began with is not here";
            return Err(Failure::new(Exit::Invalid, what).help(FETCH_ALL));
        }
        Ok(self.commit("HEAD").map(|_| "HEAD".to_owned()))
    }

    /// Whether the history was cut off when it was fetched.
    fn is_shallow(&self) -> bool {
        self.ask(&["rev-parse", "--is-shallow-repository"]).as_deref() == Some("true")
    }

    fn commit(&self, revision: &str) -> Option<String> {
        let peeled = format!("{revision}^{{commit}}");
        let found = self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled])?;
        is_id(&found).then_some(found)
    }

    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = git(&self.top).args(arguments).output().ok().filter(|output| output.status.success())?;
        let line = String::from_utf8(output.stdout).ok()?;
        Some(line.lines().next()?.trim().to_owned())
    }

    /// The files of a commit whose paths are wanted. Links and what is too large for a schema are left out.
    pub fn files(&self, commit: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Blob>, Failure> {
        let tree = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
        let output = git(&self.top).args(tree).output().map_err(|error| broken("list the files", error))?;
        if !output.status.success() {
            return Err(broken("list the files", String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let rows = output.stdout.split(|byte| *byte == 0).filter_map(|row| row_of(row, &wanted));
        let rows: Vec<(String, String)> = rows.take(MOST_FILES).collect();
        self.read(&rows)
    }

    /// The newest versions of a file that the history of the checkout holds, oldest first. `path` is from the outermost
    /// folder.
    pub fn history(&self, path: &str) -> Result<Vec<Committed>, Failure> {
        let most = format!("--max-count={MOST_VERSIONS}");
        let place = format!(":(top,literal){path}");
        let arguments = [
            "log",
            &most,
            "--format=%H %cs",
            "--no-show-signature",
            "--end-of-options",
            "HEAD",
            "--",
            &place,
        ];
        let output =
            git(&self.top).args(arguments).output().map_err(|error| broken("tell the history", error))?;
        // A checkout without any commit has no history.
        if !output.status.success() {
            return Ok(Vec::new());
        }
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let commits: Vec<(&str, &str)> =
            listed.lines().filter_map(|line| line.split_once(' ')).filter(|(id, _)| is_id(id)).collect();
        let mut versions = Vec::with_capacity(commits.len());
        for (commit, day) in commits.into_iter().rev() {
            let found = self.files(commit, |one| one == path)?;
            let committed = |blob: Blob| Committed {
                commit: commit[..9].to_owned(),
                day: day.to_owned(),
                text: blob.text,
            };
            versions.extend(found.into_iter().map(committed));
        }
        Ok(versions)
    }

    /// Reads objects by their ids, all through one process.
    fn read(&self, rows: &[(String, String)]) -> Result<Vec<Blob>, Failure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: std::io::Error| broken("read files", error);
        let mut child = git(&self.top)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut input = child.stdin.take().expect("it was piped");
        let ids = rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join("\n") + "\n";
        // From a thread of its own: both sides would wait for each other once the pipes are full.
        let asking = std::thread::spawn(move || input.write_all(ids.as_bytes()));
        let mut answers = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut blobs = Vec::with_capacity(rows.len());
        for (id, path) in rows {
            let text = answer(&mut answers, id).map_err(failed)?;
            blobs.extend(text.map(|text| Blob { path: path.clone(), text }));
        }
        drop(answers);
        let asked =
            asking.join().map_err(|_| broken("read files", "the thread that asks has ended".to_owned()))?;
        asked.map_err(failed)?;
        child.wait().map_err(failed)?;
        Ok(blobs)
    }
}

/// `git`, so that nothing of a hostile checkout is run and nobody is asked for a password.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .args(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(["-c", "core.quotePath=false", "-c", "protocol.allow=never"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// `<mode> blob <id> <size>\t<path>` of a plain file that is wanted.
fn row_of(row: &[u8], wanted: &impl Fn(&str) -> bool) -> Option<(String, String)> {
    let (facts, path) = std::str::from_utf8(row).ok()?.split_once('\t')?;
    let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
    let [mode, "blob", id, size] = facts[..] else { return None };
    let plain = mode.starts_with("100") && is_id(id);
    let fits = size.parse::<u64>().is_ok_and(|size| size <= MOST_BYTES);
    (plain && fits && wanted(path)).then(|| (id.to_owned(), path.to_owned()))
}

/// One answer of `cat-file --batch`: `<id> blob <size>`, the bytes, a line's end. None for what is no text.
fn answer(answers: &mut impl BufRead, id: &str) -> std::io::Result<Option<String>> {
    let broken = |what: String| Err(std::io::Error::other(what));
    let mut head = String::new();
    answers.by_ref().take(200).read_line(&mut head)?;
    let facts: Vec<&str> = head.split_ascii_whitespace().collect();
    let [_, "blob", size] = facts[..] else {
        return broken(format!("Git does not have the object {id}: {}", head.trim()));
    };
    let Some(size) = size.parse::<u64>().ok().filter(|size| *size <= MOST_BYTES) else {
        return broken(format!("Git answered {}", head.trim()));
    };
    let mut bytes = Vec::new();
    answers.by_ref().take(size + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size + 1 {
        return broken(format!("Git broke off in the middle of {id}"));
    }
    bytes.pop();
    Ok(String::from_utf8(bytes).ok())
}

fn is_id(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn broken(doing: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(Exit::Invalid, format!("Git could not {doing}"))
        .because(why)
        .help("see whether `git fsck` is content; a partial clone lacks objects: clone it whole")
}
