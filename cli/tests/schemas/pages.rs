//! All events on a page: for people, for a browser, for programs.

use serde_json::Value;

use crate::{POOLS, READY, TOURNAMENT, code, commit, put, ready, run, stderr, stdout, story};

#[test]
fn the_page_of_events_says_who_says_and_who_reads() {
    let folder = story();
    let output = run(folder.path(), &["schemas", "docs"]);
    let page = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for told in [
        "## matchmaking.Ready",
        "| read by | tournament (team competition) |",
        "| awaited in | season-7 |",
        "| pools | array of string | [] | Open pools. |",
        "2 events, 1 in a form of the service's own.",
        "| [tournament.DeploymentComplete](#deploymentcomplete-built-in) | tournament (team competition) | nobody here | season-7 | built in |",
        "## DeploymentComplete (built in)",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

#[test]
fn the_page_of_events_tells_how_each_came_to_be_so() {
    let folder = story();
    put(&folder, READY, &ready("string", "\"\"", ""));
    commit(&folder);
    put(
        &folder,
        READY,
        &ready("string", "\"\"", &format!(",\n    {POOLS}")).replace("Open pools.", "All pools."),
    );
    let page = stdout(&run(folder.path(), &["schemas", "docs"]));
    let from = page.lines().skip_while(|line| *line != "| version | what changed |").skip(2);
    let told: Vec<&str> = from.take_while(|line| !line.is_empty()).collect();
    assert_eq!(told.len(), 3, "{page}");
    assert_eq!(told[0], "| not committed | + /pools: array of string = [] |");
    assert!(told[1].ends_with("| - /pools: array of string = [] |"), "{page}");
    assert!(told[2].ends_with("| the first one that is known |") && told[2].contains('-'), "{page}");
    assert!(page.contains("| [matchmaking.Ready](#matchmakingready) | matchmaking | tournament (team competition) | season-7 | own, 3 versions |"), "{page}");
}

#[test]
fn the_page_for_a_browser_holds_the_same_runs_nothing_and_takes_no_markup_from_a_file() {
    let folder = story();
    let evil = ready("string", "\"\"", "").replace("A pool is open.", "<script>alert('x')</script> & more");
    put(&folder, READY, &evil);
    let output = run(folder.path(), &["schemas", "docs", "--format", "html"]);
    let page = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for told in [
        "<!doctype html>",
        "<section id=\"matchmakingready\">",
        "<a href=\"#deploymentcomplete-built-in\">tournament.DeploymentComplete</a>",
        "<section id=\"deploymentcomplete-built-in\">",
        "<dt>read by</dt><dd>tournament (team competition)</dd>",
        "<div class=\"went\"><code>- /pools: array of string = []</code></div>",
        "prefers-color-scheme: dark",
        "&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &amp; more",
        "default-src 'none'",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "{page}");
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 2);
    for link in links {
        let id = link.strip_prefix('#').expect("it leads nowhere else");
        assert!(page.contains(&format!("id=\"{id}\"")), "{link}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let output = run(nowhere.path(), &["schemas", "docs"]);
    assert!(code(&output) == 2 && stderr(&output).contains("no event is known here"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_tells_of_events_that_no_file_here_holds() {
    let registry = pavane_bus::embedded::Registry::start_empty().await.unwrap();
    let client = pavane_bus::Registry::new(&pavane_bus::Settings::new("", registry.url())).unwrap();
    let own = |service: &str, more: &str| {
        ready("string", "\"\"", more).replace("shop.matchmaking", &format!("shop.{service}"))
    };
    for (subject, text) in [
        ("shop.matchmaking.Ready", own("matchmaking", "")),
        ("shop.matchmaking.Ready", own("matchmaking", &format!(",\n    {POOLS}"))),
        ("shop.lobby.Ready", own("lobby", "")),
        ("shop.lobby.Ready", own("lobby", &format!(",\n    {POOLS}"))),
        ("shop.Order", own("orders", "").replace("\"Ready\"", "\"Order\"")),
    ] {
        client.register(subject, &text).await.unwrap();
    }
    let folder = story();
    let url = registry.url();
    let docs = |folder: &std::path::Path| run(folder, &["schemas", "docs", "--registry", &url]);
    let page = stdout(&docs(folder.path()));
    for told in [
        "## matchmaking.Ready",
        "| version 2 in the registry | + /pools: array of string = [] |",
        "| version 1 in the registry | the first one that is known |",
        "| schema | `shop.lobby.Ready` in the registry |",
        "| [shop.lobby.Ready](#shoplobbyready) | a service that the registry does not name | nobody here | nobody here | own, 2 versions |",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("Order"), "what is no event of the vocabulary is no business of ours: {page}");
    let nowhere = tempfile::tempdir().unwrap();
    let page = stdout(&docs(nowhere.path()));
    assert!(
        page.contains("2 events, 2 in a form of the service's own.") && page.contains("## shop.lobby.Ready"),
        "{page}"
    );
}

#[test]
fn an_asyncapi_document_names_every_event_with_its_schema_and_who_says_and_reads_it() {
    let folder = story();
    let output = run(folder.path(), &["schemas", "asyncapi"]);
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["info"]["title"], "Events of the domain arena");
    assert_eq!(document["channels"]["lifecycle"]["address"], "pavane.lifecycle");
    let message = &document["components"]["messages"]["matchmaking.Ready"];
    assert_eq!(message["payload"]["schema"]["namespace"], "shop.matchmaking", "its own form");
    assert_eq!(message["headers"]["properties"]["ce_type"]["const"], "io.pavane.lifecycle.v1.Ready");
    let reads = &document["operations"]["tournament.read"];
    assert_eq!(
        (&reads["action"], &reads["tags"][0]["name"]),
        (&"receive".into(), &"team competition".into())
    );
    assert_eq!(reads["messages"][0]["$ref"], "#/channels/lifecycle/messages/matchmaking.Ready");
    put(&folder, "other.yaml", &TOURNAMENT.replace("arena", "shop"));
    let output = run(folder.path(), &["schemas", "asyncapi"]);
    assert!(code(&output) == 2 && stderr(&output).contains("arena, shop"), "{}", stderr(&output));
    let output = run(folder.path(), &["schemas", "asyncapi", "--domain", "area"]);
    assert!(code(&output) == 2 && stderr(&output).contains("know: arena, shop"), "{}", stderr(&output));
    let named = run(folder.path(), &["schemas", "asyncapi", "--domain", "arena"]);
    assert_eq!(stdout(&named), format!("{document:#}\n"));
}
