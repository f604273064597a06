//! The live page in a real browser. Without Chromium each test prints a line and ends; CI has it.
//! Screenshots go to the folder `screenshots`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use common::browser::Browser;
use common::page::{Page, all_drawn, language_run, open};
use common::{BY_HEART, Place, letters};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// Elements with text of the page itself, not of a corpus, a model or an option.
const WORDS: &str = "h2, h3, .note, th, small.mouse, .bar > button, .bar > label, #time-cards small, \
                     #loss-stage p, .gauge .name, .legendtext, #run-events td:last-child";

#[test]
fn every_panel_is_drawn_in_both_languages_and_themes_on_a_desk_and_a_phone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let page = Page::watch(&place, "watch r");
    for (device, width, height) in [("desk", 1280, 7200), ("phone", 390, 12500)] {
        browser.size(width, height);
        open(&browser, &page);
        for (language, theme) in [
            ("en", "light"),
            ("en", "dark"),
            ("zh", "dark"),
            ("zh", "light"),
        ] {
            for (button, is) in [
                ("language", format!("lang.startsWith('{language}')")),
                ("theme", format!("dataset.theme === '{theme}'")),
            ] {
                if browser.run(&format!("return document.documentElement.{is}")) == json!(false) {
                    browser.click(&format!("#{button}"));
                }
                browser.wait(&format!("document.documentElement.{is}"));
            }
            all_drawn(&browser);
            browser.picture(&format!("page-{device}-{language}-{theme}"));
            let wide = browser.run("return document.documentElement.scrollWidth");
            assert!(wide.as_u64() <= Some(width.into()), "{device}: {wide}");
            let overlapping = "const boxes = [...document.querySelectorAll('#loss-chart .annotation-text')]
                .map((e) => e.getBoundingClientRect());
                return boxes.length < 4 ? 'no labels' : boxes.filter((a, i) => boxes.slice(i + 1).some((b) =>
                    a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2)).length";
            assert_eq!(
                browser.run(overlapping),
                json!(0),
                "{device}: labels overlap"
            );
            let low = "return document.querySelector('header').offsetHeight < 60";
            assert_eq!(browser.run(low), json!(true), "{device}: one row");
            let scrolls = "const g = document.getElementById('run-graph');
                return g.scrollWidth > g.clientWidth";
            assert_eq!(browser.run(scrolls), json!(device == "phone"));
            let untranslated = browser.run(&format!(
                "return [...document.querySelectorAll(`{WORDS}`)].map((e) => e.textContent.trim())
                   .filter((t) => /\\p{{L}}/u.test(t) && /\\p{{Script=Han}}/u.test(t) !== ('{language}' === 'zh'))"
            ));
            assert_eq!(untranslated, json!([]), "{language}");
            let back = "return getComputedStyle(document.body).backgroundColor";
            let dark = browser.run(back) == json!("rgb(18, 21, 28)");
            assert_eq!(dark, theme == "dark");
        }
        browser.is_clean(&page.address());
    }
}

#[test]
fn the_page_can_be_used_by_keys_and_by_mouse() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let page = Page::watch(&place, "watch r");
    browser.size(1280, 1000);
    open(&browser, &page);
    browser.wait("document.querySelector('#loss-chart .scatterlayer .trace')");
    keyboard_reaches_everything(&browser);
    loss_chart_zooms_and_changes_axes(&browser);
    film_plays_and_a_checkpoint_has_its_link(&browser);
    browser.is_clean(&page.address());
}

#[test]
fn a_race_is_a_curve_with_a_band_for_each_recipe() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    place
        .run(
            "race --preset tiny --steps 40 --set eval.every=5 --set eval.tokens=1024 --seeds 2 \
             --recipe adamw --recipe normuon:optim.name=normuon --out race --json",
        )
        .fine();
    let page = Page::watch(&place, "watch race");
    browser.size(1280, 1400);
    open(&browser, &page);
    let drawn = "document.querySelectorAll('#race-chart .scatterlayer .trace path').length >= 4";
    browser.wait(drawn);
    let rows = "return [...document.querySelectorAll('#race-table tr')].map((r) =>
                [...r.children].map((c) => c.textContent))";
    let rows = browser.run(rows);
    assert_eq!(rows[0][1], "bits per byte");
    let names = [&rows[1][0], &rows[2][0]];
    assert!(names.contains(&&json!("adamw")) && names.contains(&&json!("normuon")));
    assert_eq!((&rows[1][3], &rows[2][3]), (&json!("2"), &json!("2")));
    // Both axes; all 40 steps of both recipes are there.
    let far = |most: &str| {
        format!(
            "document.querySelector('#race-chart').data.every((t) => Math.max(...t.x) {most})
             && {drawn}"
        )
    };
    browser.wait(&far("< 500"));
    browser.run(
        "const e = document.querySelector('#race select'); e.value = 'tokens';
         e.dispatchEvent(new Event('change'))",
    );
    let tokens = browser.run(
        "return fetch('/api/runs/0/events').then((a) => a.json()).then((a) =>
         40 * a.events.find((e) => e.kind === 'start').event.tokens_per_step)",
    );
    browser.wait(&far(&format!("=== {tokens}")));
    browser.picture("race-en");
    browser.click("#language");
    browser.wait(drawn);
    let untranslated = browser.run(&format!(
        "return [...document.querySelectorAll(`:is(#race) :is({WORDS})`)]
           .map((e) => e.textContent.trim())
           .filter((t) => /\\p{{L}}/u.test(t) && !/\\p{{Script=Han}}/u.test(t))
           .filter((t) => !['adamw', 'normuon'].includes(t))"
    ));
    assert_eq!(untranslated, json!([]));
    browser.picture("race-zh");
    browser.is_clean(&page.address());
}

fn keyboard_reaches_everything(browser: &Browser) {
    // The first tab stop skips the header.
    browser.press("\u{e004}\u{e007}");
    browser.wait("document.activeElement.id === 'panels'");
    // The focus is visible and moves through the page in order.
    browser.press("\u{e004}\u{e004}");
    let seen = "const e = document.activeElement; const s = getComputedStyle(e);
                return e !== document.body && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2";
    assert_eq!(browser.run(seen), json!(true));
    browser.press("?");
    browser.wait("document.getElementById('keys').open");
    // Each panel has a key, which is in the list with its title.
    let listed = "return [...document.querySelectorAll('main > section > h2')].every((title, at) =>
        [...document.querySelectorAll('#keys tr')].some((row) =>
            row.textContent === `${'123456789ABCDEFG'[at]}go to: ${title.textContent}`))";
    assert_eq!(browser.run(listed), json!(true));
    browser.picture("keys");
    browser.press("\u{e00c}");
    browser.wait("!document.getElementById('keys').open");
    for (key, changed) in [
        ("t", "documentElement.dataset.theme"),
        ("l", "documentElement.lang"),
    ] {
        let before = browser.run(&format!("return document.{changed}"));
        browser.press(key);
        assert_ne!(browser.run(&format!("return document.{changed}")), before);
        browser.press(key);
        assert_eq!(browser.run(&format!("return document.{changed}")), before);
    }
}

/// Zooms by key, switches to a log axis, to tokens and time, and skips the initial drop.
fn loss_chart_zooms_and_changes_axes(browser: &Browser) {
    browser.wait("document.querySelector('#loss-chart').layout?.xaxis?.range?.[1] > 39");
    browser.run("document.getElementById('loss-chart').focus()");
    browser.press("+");
    browser.wait("document.querySelector('#loss-chart').layout.xaxis.range[1] < 39");
    browser.press("0");
    browser.wait("document.querySelector('#loss-chart').layout.xaxis.range[1] > 39");
    browser.click("#loss .bar input[type=checkbox]");
    browser.wait("document.querySelector('#loss-chart').layout.xaxis.type === 'log'");
    browser.click("#loss .bar input[type=checkbox]");
    for (axis, least) in [("tokens", 1000.0), ("time", 0.0)] {
        browser.run(&format!(
            "const s = document.querySelector('#loss select'); s.value = '{axis}'; s.dispatchEvent(new Event('change'))"
        ));
        let least = format!("document.querySelector('#loss-chart').data[1].x.at(-1) > {least}");
        browser.wait(&least);
    }
    browser.click("#loss-past");
    browser.wait("document.getElementById('loss-past').ariaPressed === 'true'");
}

/// The film plays, the lens follows a click and an arrow key, and a checkpoint has its link.
fn film_plays_and_a_checkpoint_has_its_link(browser: &Browser) {
    press_for(browser, "film");
    browser.wait(
        "document.activeElement.id === 'film' && document.querySelector('#film-strip button')",
    );
    browser.press("p");
    browser.wait("document.querySelector('#film [data-play]').ariaPressed === 'true'");
    browser.wait("document.querySelector('#film [data-play]').ariaPressed === 'false'");
    press_for(browser, "lens");
    browser.wait("document.querySelector('#lens-text [data-at=\"5\"]')");
    browser.click("#lens-text [data-at='5']");
    browser.wait("document.querySelector('#lens-text .chosen').dataset.at === '5'");
    let sum = "return [...document.querySelectorAll('#lens-top .share')].reduce((s, e) => s + parseFloat(e.style.width), 0)";
    let sum = browser.run(sum).as_f64().unwrap();
    assert!((20.0..=100.5).contains(&sum), "{sum}");
    browser.run("document.querySelector('#lens-text .chosen').focus()");
    browser.press("\u{e014}");
    browser.wait("document.querySelector('#lens-text .chosen').dataset.at === '6'");
    looks_inside(browser);
    press_for(browser, "run");
    browser.wait("document.querySelector('#run-checkpoints table a')");
}

/// A head shows where it looks from the token that is pointed at, at every step of the film.
fn looks_inside(browser: &Browser) {
    press_for(browser, "inside");
    browser.wait("document.querySelector('#inside-text [data-at=\"7\"]')");
    browser.click("#inside-heads button:last-child");
    browser.click("#inside-text [data-at='7']");
    browser.wait("document.querySelector('#inside-text .chosen').dataset.at === '7'");
    // Places up to the token are colored, and their shares add up to all.
    let shares = "return [...document.querySelectorAll('#inside-text span')]
        .map((e) => parseFloat(e.title.split(' ')[1]))";
    let shares = browser.run(shares);
    let shares: Vec<f64> = (shares.as_array().unwrap().iter())
        .map_while(Value::as_f64)
        .collect();
    let sum: f64 = shares.iter().sum();
    assert!(
        shares.len() == 8 && (97.0..=103.0).contains(&sum),
        "{shares:?}"
    );
    let told = "document.getElementById('inside-layers').textContent";
    let last = browser.run(&format!("return {told}"));
    browser.run(
        "const s = document.querySelector('#inside input[type=range]');
         s.value = 0; s.dispatchEvent(new Event('input'))",
    );
    browser.wait("document.querySelector('#inside output').textContent === 'step 0'");
    assert_ne!(browser.run(&format!("return {told}")), last);
    // Pointing at a token of the map names its nearest.
    browser.run(
        "const t = document.querySelector('#inside-map [data-at=\"4\"]');
         t.dispatchEvent(new Event('click', {bubbles: true}))",
    );
    browser.wait("document.querySelector('#inside-map .chosen').dataset.at === '4'");
    browser.wait("document.querySelectorAll('#inside-near tr').length === 5");
}

#[test]
fn a_run_without_probes_says_so() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let events = String::from_utf8(place.read("r/events.jsonl")).unwrap();
    let old = events
        .split_inclusive('\n')
        .filter(|line| !line.contains(r#""event":"inside""#));
    place.write("r/events.jsonl", old.collect::<String>().as_bytes());
    let page = Page::watch(&place, "watch r");
    browser.size(1280, 4600);
    open(&browser, &page);
    browser.wait("document.getElementById('inside').textContent.includes('has no such probes')");
    browser.wait("document.getElementById('inside').textContent.includes('downhill inside r')");
    browser.is_clean(&page.address());
}

#[test]
fn the_head_that_looks_for_the_answer_is_named() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let train = "train --corpus copy --steps 60 --run c --quiet --set eval.tokens=512";
    place.run(train).fine();
    let page = Page::watch(&place, "watch c");
    browser.size(1280, 4600);
    open(&browser, &page);
    browser.wait("document.querySelectorAll('#accuracy-chart .scatterlayer .trace').length === 3");
    let head = "document.getElementById('accuracy-head').textContent";
    browser.wait(&format!("{head}.includes('looks for the answer')"));
    // Between knowing nothing and having the skill, attention found the places of the answer.
    let shares = browser.run("return document.getElementById('accuracy-chart').data[2].y");
    let shares: Vec<f64> = (shares.as_array().unwrap().iter())
        .filter_map(Value::as_f64)
        .collect();
    let (first, last) = (shares[0], shares[shares.len() - 1]);
    assert!(first < 25.0 && last > 40.0, "{shares:?}");
    browser.picture("copy-en");
    browser.click("#language");
    browser.wait(&format!("{head}.includes('在寻找答案')"));
    browser.is_clean(&page.address());
}

/// Presses the key of a panel.
fn press_for(browser: &Browser, panel: &str) {
    let key = format!(
        "return '123456789abcdefg'[[...document.querySelectorAll('main > section')].findIndex((s) => s.id === '{panel}')]"
    );
    browser.press(browser.run(&key).as_str().unwrap());
}

#[test]
fn the_mountain_turns_and_the_crowd_walks() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    place.run("fit --run f --quiet").fine();
    // A fit that has no surface yet gets one.
    let page = Page::watch(&place, "watch f");
    browser.size(1280, 1500);
    open(&browser, &page);
    browser.wait("document.querySelector('#mountain-3d canvas')");
    browser.wait("document.querySelectorAll('#mountain-flat .scatterlayer .trace').length >= 3");
    // A canvas that isn't blank has many colors. Its pixels can be read only right after drawing.
    let colors = "const plot = document.getElementById('mountain-3d')._fullLayout.scene._scene.glplot;
        plot.redraw();
        const gl = plot.gl, [w, h] = [gl.drawingBufferWidth, gl.drawingBufferHeight], bytes = new Uint8Array(w * h * 4);
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
        return new Set(new Uint32Array(bytes.buffer)).size";
    let many = browser.run(colors).as_u64().unwrap();
    assert!(many > 200, "{many} colors");
    // Of three rates one does well, one crawls and one diverges, by the mean cost that is shown.
    let cost = |rule: u64, step: u64| -> (f64, f64) {
        browser.run(&format!(
            "const s = document.querySelector('#mountain select'); s.value = '{rule}'; s.dispatchEvent(new Event('change'))"
        ));
        browser.run(&format!(
            "const s = document.querySelector('#mountain input[type=range]'); s.value = {step}; s.dispatchEvent(new Event('input'))"
        ));
        let step =
            format!("document.querySelector('#mountain output').textContent.endsWith(' {step}')");
        browser.wait(&step);
        let text = browser
            .run("return document.getElementById('mountain-told').textContent.replace(',', '')");
        let numbers: Vec<f64> = text
            .as_str()
            .unwrap()
            .split(' ')
            .filter_map(|w| w.parse().ok())
            .collect();
        (numbers[0], numbers[1])
    };
    let start = cost(0, 0).0;
    let [well, low, high] = [0, 1, 2].map(|rule| cost(rule, 60));
    assert!(
        well.0 < start / 50.0 && low.0 > start / 40.0 && low.0 < start && high.0 > start,
        "{start} {well:?} {low:?} {high:?}"
    );
    assert!(high.1 > low.1, "{high:?}");
    cost(4, 14);
    browser.picture("mountain-adam");
    cost(2, 8);
    browser.picture("mountain-too-high");
    cost(3, 10);
    browser.picture("mountain-momentum");
    browser.size(390, 2600);
    browser.wait("document.documentElement.scrollWidth <= 390");
    browser.picture("mountain-phone");
    browser.is_clean(&page.address());
}

#[test]
fn a_copied_piece_shows_where_it_stands_in_the_training_text() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let text = letters(1600);
    place.write("text.txt", text.as_bytes());
    let train = format!("{BY_HEART} --steps 320 --run r").replace("1000", "40");
    place.run(&train).fine();
    let page = Page::watch(&place, "watch r");
    browser.size(1280, 4600);
    open(&browser, &page);
    browser.wait("document.getElementById('copied-gap-note').textContent.includes('best at step')");
    browser.wait("document.getElementById('copied-result').textContent.includes('originality')");
    let line = "originality r --samples 4 --tokens 100 --show 0 --checkpoint last";
    place.run(line).fine();
    open(&browser, &page);
    browser.wait("document.querySelector('#copied-text u')");
    let verdict = browser.run("return document.getElementById('copied-verdict').textContent");
    let verdict = verdict.as_str().unwrap();
    assert!(verdict.starts_with("It has learned "), "{verdict}");
    browser.click("#copied-text u");
    browser.wait("document.querySelector('#copied-source u')");
    let source = browser.run(
        "return [...document.getElementById('copied-source').childNodes].slice(1)
             .map((n) => n.textContent).join('')",
    );
    assert!(text.contains(source.as_str().unwrap()), "{source}");
    browser.picture("copied");
    browser.click("#language");
    browser
        .wait("document.getElementById('copied-verdict')?.textContent.includes('它背下了语料的')");
    browser.is_clean(&page.address());
}

/// A result of `originality` with every text in every field that shows text.
fn copied(texts: &[String]) -> Value {
    let lengths = json!({"median": 1, "p90": 2, "largest": 3});
    let figures = json!({"new_ngrams": {"8": 0.5}, "longest_match": lengths, "match_lengths": {},
        "prefix_extraction": 0.0, "prefix_extraction_sampled": 0.0, "near_copies": 0.0,
        "near_copies_sampled": 0.0});
    let sample = |text: &String| {
        let copy = json!({"tokens": 3, "token": 4, "before": text, "text": text, "after": text});
        json!({"pieces": [{"text": text}, {"text": text, "copy": 0}], "copies": [copy]})
    };
    let samples: Vec<Value> = texts.iter().map(sample).collect();
    json!({"step": 10, "samples": 1, "tokens": 100, "temperature": 1.0, "seed": 1,
        "corpus_tokens": 9, "indexed_tokens": 9, "model": figures, "human": figures,
        "train_prefix_extraction": 0.0, "train_prefix_extraction_sampled": 0.0,
        "train_near_copies": 0.0, "train_near_copies_sampled": 0.0, "finding": "new",
        "verdict": texts[0], "marked_beyond": 2, "texts": samples})
}

/// Texts that would do harm if they were taken for markup, script or control codes.
fn hostile_texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "<script>window.hacked = 1</script>",
        "</script><script>window.hacked = 1</script>",
        "<img src=x onerror=\"window.hacked=1\">",
        "</div></pre></svg><svg onload='window.hacked=1'>",
        "<a href=\"javascript:window.hacked=1\">click</a> javascript:window.hacked=1",
        "<iframe srcdoc='<b>'></iframe><style>*{display:none}</style><!--",
        "&lt;b&gt; \"quotes\" 'quotes' ]]> \\u003cscript>",
        "\u{202e}right to left\u{202c} \u{2066}isolate\u{2069}",
        "nul \u{0} bell \u{7} escape \u{1b}[31m",
        "\u{301}\u{301}\u{301}\u{489} combining, \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} joined",
    ]
    .map(String::from)
    .into();
    all.push("long ".repeat(20_000));
    all
}

/// Appends events with every text in every field that shows text.
fn write_all(texts: &[String], events: &Path) {
    let mut log = std::fs::OpenOptions::new()
        .append(true)
        .open(events)
        .unwrap();
    for text in texts {
        let sample = json!({"event": "sample", "time": 1.0, "step": 10, "prompt": text, "text": text, "seed": 1, "temperature": 1.0});
        let warning = json!({"event": "warning", "time": 1.0, "message": text});
        writeln!(log, "{sample}\n{warning}").unwrap();
        let tokens: Vec<&str> = texts[..10]
            .iter()
            .map(String::as_str)
            .chain([text.as_str()])
            .collect();
        let top: Vec<Value> = (0..10)
            .map(|_| json!([[text, 0.5], ["<b>", 0.25]]))
            .collect();
        let passage =
            json!({"tokens": tokens, "nats": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "top": top});
        let lens = json!({"event": "lens", "time": 1.0, "step": 10, "passages": [passage]});
        let near = vec![json!([[text, 0.5]]); 11];
        let head = json!({"layer": 0, "head": 0, "kind": "same", "scores": {"same": 0.5},
            "attention": (0..11).map(|t| vec![9; t + 1]).collect::<Vec<_>>()});
        let inside = json!({"event": "inside", "time": 1.0, "step": 10, "tokens": tokens,
            "heads": [head], "layers": [{"nats": [1], "mean_nats": 1, "top": top}], "seconds": 1,
            "embeddings": {"tokens": tokens, "x": [0, 1], "y": [1, 0], "share": 0.5, "near": near}});
        writeln!(log, "{lens}\n{inside}").unwrap();
    }
}

#[test]
fn no_text_becomes_markup_in_the_page_or_the_report() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let name = "<b>run<img>";
    let texts = hostile_texts();
    place.write("<i>corpus.txt", texts.join("\n").repeat(4).as_bytes());
    place.run(&format!(
        "train <i>corpus.txt --preset tiny --steps 10 --run {name} --quiet --lossy --set eval.every=5"
    )).fine();
    write_all(&texts, &place.path(&format!("{name}/events.jsonl")));
    std::fs::create_dir_all(place.path(&format!("{name}/probes"))).unwrap();
    let stored = copied(&texts).to_string();
    place.write(
        &format!("{name}/probes/originality.json"),
        stored.as_bytes(),
    );
    let page = Page::watch(&place, &format!("watch {name}"));
    let found = "return [...document.querySelectorAll('body script, img, iframe, object, embed, form, style:not([id^=plotly]), body a:not(.skip, .to), b b, [onload], [onerror], [href^=\"javascript:\"]')].map((e) => e.outerHTML.slice(0, 200))";
    browser.size(390, 12000);
    open(&browser, &page);
    browser.wait("document.querySelectorAll('#run-events tr').length > 10");
    browser.wait("document.querySelector('#copied-text u')");
    for at in 0..texts.len() {
        for panel in ["film", "lens", "inside"] {
            browser.run(&format!(
                "const s = document.querySelector('#{panel} input[type=range]'); s.value = Number(s.max) - {at}; s.dispatchEvent(new Event('input'))"
            ));
        }
        browser.run(&format!(
            "const s = document.querySelector('#copied-result select'); s.value = {at}; s.dispatchEvent(new Event('change'));
             document.querySelector('#copied-text u').click()"
        ));
        let shown = json!(
            &texts[texts.len() - 1 - at]
                .chars()
                .take(400)
                .collect::<String>()
        );
        browser.wait(&format!(
            "document.getElementById('film-text').textContent.includes({shown})"
        ));
        assert_eq!(browser.run(found), json!([]));
    }
    browser.wait("document.documentElement.scrollWidth <= 390");
    browser.picture("hostile");
    assert_eq!(
        browser.run("return typeof window.hacked"),
        json!("undefined")
    );
    browser.is_clean(&page.address());
    place.run(&format!("report {name} -o report.html")).fine();
    let report = format!("file://{}", place.path("report.html").display());
    browser.size(1000, 3000);
    browser.open(&report);
    assert_eq!(
        browser.run(&found.replace("style:not([id^=plotly])", "style ~ style")),
        json!([])
    );
    assert_eq!(
        browser.run("return typeof window.hacked"),
        json!("undefined")
    );
    assert_eq!(
        browser.run("return document.querySelectorAll('svg').length > 0"),
        json!(true)
    );
    browser.picture("hostile-report");
    browser.is_clean("file://");
}

#[test]
fn a_training_is_live_and_saves_and_stops_from_the_page() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let mut page = Page::watch(
        &place,
        "train --preset tiny --steps 1000000 --run c --allow-control --set eval.every=1000000 \
         --set checkpoint.every=1000000 --set train.threads=1",
    );
    let token = loop {
        let line = page.line();
        if let Some(token) = line.strip_prefix("control  ") {
            break token.trim().to_owned();
        }
    };
    browser.size(1280, 3400);
    open(&browser, &page);
    // It updates by itself.
    let step = "Number(document.title.split(' ')[0])";
    browser.wait(&format!("{step} > 0"));
    let before = browser.run(&format!("return {step}")).as_f64().unwrap();
    browser.wait(&format!("{step} > {before} + 5"));
    browser.wait("document.querySelector('#loss-chart .scatterlayer .trace path')");
    // A wrong token does nothing.
    let press = |token: &str, button: u32| {
        browser.run(&format!(
            "document.querySelector('#run-control input').value = '{token}'"
        ));
        browser.click(&format!("#run-control button:nth-of-type({button})"));
    };
    press("0000", 1);
    browser.wait("document.querySelector('#run-control output').textContent.includes('wrong')");
    let saved = "document.querySelectorAll('#run-checkpoints table tr').length";
    assert_eq!(browser.run(&format!("return {saved}")), json!(0));
    press(&token, 1);
    browser.wait("document.querySelector('#run-control output').textContent === '✓'");
    browser.wait(&format!("{saved} >= 1"));
    browser.picture("live");
    press(&token, 2);
    // As after Ctrl-C.
    assert_eq!(page.child.wait().unwrap().code(), Some(130));
    // The page has heard of the end before the server closed.
    browser.wait("document.querySelector('#head .state').textContent.startsWith('ended')");
    browser.wait("document.querySelector('#head .state').textContent.includes('downhill watch c')");
    browser.wait("document.querySelector('#run-events').textContent.includes('interrupted')");
    let events = common::parse(&String::from_utf8(place.read("c/events.jsonl")).unwrap());
    assert!(common::kind(&events, "saved").len() >= 2);
    assert_eq!(common::kind(&events, "end").len(), 1);
}
