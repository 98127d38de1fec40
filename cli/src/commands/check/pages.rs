//! The pages of the codes, as they lie in `docs/codes`, built in.

use pavane_choreography::diagnostic::Code;

macro_rules! pages {
    ($($code:literal,)*) => {
        /// Every page with its code.
        pub(super) const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../../../docs/codes/", $code, ".md"))),)*];
    };
}

pages! {
    "PAV001",
    "PAV002",
    "PAV003",
    "PAV004",
    "PAV005",
    "PAV006",
    "PAV007",
    "PAV008",
    "PAV009",
    "PAV010",
    "PAV011",
    "PAV012",
    "PAV013",
    "PAV014",
    "PAV015",
    "PAV016",
    "PAV017",
    "PAV019",
    "PAV020",
    "PAV021",
    "PAV100",
    "PAV101",
    "PAV102",
    "PAV103",
    "PAV104",
    "PAV105",
    "PAV106",
    "PAV107",
    "PAV108",
    "PAV109",
    "PAV110",
    "PAV111",
    "PAV112",
    "PAV113",
    "PAV114",
    "PAV115",
    "PAV116",
    "PAV117",
    "PAV118",
    "PAV119",
    "PAV120",
    "PAV121",
    "PAV122",
    "PAV123",
    "PAV124",
    "PAV125",
    "PAV126",
    "PAV127",
    "PAV400",
    "PAV401",
    "PAV402",
    "PAV403",
    "PAV404",
    "PAV405",
    "PAV406",
    "PAV407",
    "PAV408",
    "PAV410",
    "PAV411",
    "PAV412",
    "PAV413",
    "PAV414",
    "PAV415",
    "PAV416",
    "PAV417",
    "PAV418",
    "PAV420",
    "PAV421",
    "PAV422",
    "PAV423",
    "PAV424",
    "PAV425",
    "PAV430",
    "PAV431",
    "PAV432",
    "PAV433",
    "PAV440",
    "PAV441",
    "PAV442",
    "PAV443",
    "PAV444",
    "PAV445",
    "PAV450",
    "PAV451",
    "PAV452",
}

/// The page of a code: what it means, an example, and what to do.
pub(super) fn page(code: Code) -> &'static str {
    let page = PAGES.iter().find(|(known, _)| *known == code.as_str());
    page.map_or(code.meaning(), |(_, page)| page)
}

#[cfg(test)]
mod tests;
