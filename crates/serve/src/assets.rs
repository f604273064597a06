//! The page's files, compiled into the program: nothing is ever loaded from elsewhere.

use std::sync::OnceLock;

/// A file: its name after `/`, its content type and its content.
type Asset = (&'static str, &'static str, &'static str);

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! scripts {
    ($($name:literal)*) => {
        [$((concat!("page/", $name), SCRIPT, include_str!(concat!("../page/", $name)))),*]
    };
}

const SCRIPTS: [Asset; 32] = scripts! {
    "main.js" "dom.js" "words.js" "feed.js" "chart.js" "loss.js" "film.js" "lens.js" "machine.js"
    "time.js" "mountain.js" "run.js" "ladder.js" "keys.js" "race.js" "copied.js" "play.js"
    "tokens.js" "next.js" "write.js" "surprise.js" "switches.js" "accuracy.js" "surface.js"
    "terrain.js" "inside.js" "look.js" "inspect.js" "lesson.js" "lesson_show.js"
    "lesson_words.js" "crowd.js"
};

const OTHERS: [Asset; 6] = [
    (
        "",
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    ),
    (
        "play",
        "text/html; charset=utf-8",
        include_str!("../page/play.html"),
    ),
    (
        "lesson",
        "text/html; charset=utf-8",
        include_str!("../page/lesson.html"),
    ),
    (
        "page/lesson.css",
        "text/css; charset=utf-8",
        include_str!("../page/lesson.css"),
    ),
    (
        "page/play.css",
        "text/css; charset=utf-8",
        include_str!("../page/play.css"),
    ),
    (
        "page/style.css",
        "text/css; charset=utf-8",
        include_str!("../page/style.css"),
    ),
];

/// The content type and content of a file.
pub fn find(name: &str) -> Option<(&'static str, &'static str)> {
    if name == "page/plotly.js" {
        return Some((SCRIPT, plotly_js()));
    }
    let mut all = SCRIPTS.iter().chain(&OTHERS);
    all.find(|(n, ..)| *n == name)
        .map(|(_, kind, text)| (*kind, *text))
}

/// plotly.js, extracted from the script elements in which the crate `plotly` wraps it.
fn plotly_js() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let elements = plotly::Plot::offline_js_sources();
        let from = elements.find('>').map_or(0, |at| at + 1);
        // Strings in the source may contain `</script>`, but not followed by a newline.
        let end = elements[from..]
            .find("</script>\n")
            .map_or(elements.len(), |at| from + at);
        elements[from..end].to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_library_is_whole_and_alone() {
        let (_, source) = find("page/plotly.js").unwrap();
        assert!(source.trim_start().starts_with("/**\n* plotly.js v3"));
        assert!(
            (4_000_000..5_500_000).contains(&source.len()),
            "{}",
            source.len()
        );
        assert!(
            source.trim_end().ends_with("}));"),
            "{}",
            &source[source.len() - 80..]
        );
        assert!(find("page/../Cargo.toml").is_none() && find("page").is_none());
    }
}
