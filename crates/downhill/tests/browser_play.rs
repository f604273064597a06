//! The playground in a real browser, as `browser` tests the live page.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Place;
use common::browser::Browser;
use common::page::{Page, language_run};
use serde_json::json;

/// Elements with text of the page itself, not of a text, a model or a file.
const WORDS: &str = "h2, .note, .bar > button, .bar > label, .chips small, .knob > span, summary, \
                     .others small, .others span, .standing, th, .cards small, .column .bar > b, a.to";

fn open(browser: &Browser, page: &Page) {
    browser.open(&format!("{}play", page.address()));
    browser.wait("document.documentElement.dataset.ready === 'yes'");
}

/// Writes a value into an input or a text area.
fn enter(browser: &Browser, selector: &str, value: &str) {
    browser.run(&format!(
        "const e = document.querySelector(`{selector}`); e.value = {};
         e.dispatchEvent(new Event('input'))",
        json!(value)
    ));
}

/// Writes, and waits for the end.
fn write(browser: &Browser) {
    browser.click("#play-go");
    idle(browser);
}

fn idle(browser: &Browser) {
    browser.wait("document.getElementById('play-stop').disabled");
}

/// The tokens of a text, without the place at its end.
fn tokens(browser: &Browser) -> Vec<String> {
    let all = browser.run(
        "return [...document.querySelectorAll('.column [data-at]:not(.caret)')]
           .map((e) => e.textContent)",
    );
    let all = all.as_array().unwrap().iter();
    all.map(|t| t.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_playground_in_both_languages_and_themes_on_a_desk_and_a_phone() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let page = Page::watch(&place, "play r");
    browser.size(1360, 1300);
    open(&browser, &page);
    enter(&browser, "#play-prompt", "One day");
    browser.click("#play-spread");
    write(&browser);
    browser.wait("document.querySelectorAll('.column').length === 3");
    browser.click(".column [data-at='5']");
    enter(&browser, "#own-text", "One day, the dog ran home.");
    browser.click("#own-go");
    browser.wait("document.querySelectorAll('#own-cards b').length === 4");
    enter(&browser, "#inside-own", "One day, the dog");
    browser.click("#inside-go");
    browser.wait("document.querySelectorAll('#inside-heads canvas').length === 4");
    browser.click("#inside-text [data-at='3']");
    browser.wait("document.querySelector('#inside-text .chosen').dataset.at === '3'");
    for (device, width, height) in [("desk", 1360, 2900), ("phone", 390, 4900)] {
        browser.size(width, height);
        for (language, theme) in [
            ("en", "light"),
            ("zh", "light"),
            ("zh", "dark"),
            ("en", "dark"),
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
            // What was written is still there.
            browser.wait("document.querySelectorAll('.choices .choice').length >= 12");
            browser.wait("document.querySelectorAll('.column [data-at]').length > 100");
            browser.wait("document.querySelectorAll('#own-tokens span').length > 10");
            browser.wait("document.querySelectorAll('#inside-heads canvas').length === 4");
            browser.picture(&format!("play-{device}-{language}-{theme}"));
            let wide = browser.run("return document.documentElement.scrollWidth");
            assert!(wide.as_u64() <= Some(width.into()), "{device}: {wide}");
            let low = "return document.querySelector('header').offsetHeight < 60";
            assert_eq!(browser.run(low), json!(true), "{device}: one row");
            let untranslated = browser.run(&format!(
                "return [...document.querySelectorAll(`{WORDS}`)].map((e) => e.textContent.trim())
                   .filter((t) => /\\p{{L}}/u.test(t) && !/^(top|min)-/.test(t)
                     && /\\p{{Script=Han}}/u.test(t) !== ('{language}' === 'zh'))"
            ));
            assert_eq!(untranslated, json!([]), "{language}");
        }
    }
    browser.is_clean(&page.address());
}

#[test]
fn another_branch_goes_on_from_there_and_settings_reshape_the_distribution() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let live = Page::watch(&place, "watch r");
    // From the live page.
    browser.size(1360, 6400);
    browser.open(&live.address());
    browser.wait("document.querySelector('#head a.to')");
    browser.wait("document.querySelectorAll('#run-checkpoints a.to').length >= 2");
    browser.click("#head a.to");
    browser.wait(
        "document.documentElement.dataset.ready === 'yes' && document.querySelector('#play-go')",
    );
    browser.is_clean(&live.address());
    drop(live);
    let page = Page::watch(&place, "play r/checkpoints/step-000040");
    browser.size(1360, 1000);
    open(&browser, &page);
    enter(&browser, "#play-length", "40");
    write(&browser);
    let first = tokens(&browser);
    assert_eq!(first.len(), 40);
    browser.click(".column [data-at='7']");
    browser.wait("document.querySelector('.choices button.drawn:enabled')");
    // The token that was drawn gives the same text again, another one another text.
    let pick = |which: &str| {
        browser.run(&format!(
            "document.querySelector('.choices button{which}').click()"
        ));
        idle(&browser);
        browser.wait("document.querySelector('.choices button.drawn:enabled')");
        tokens(&browser)
    };
    assert_eq!(pick(".drawn"), first);
    let other = pick(":not(.drawn):not(.cut)");
    assert_eq!((&other[..7], other.len()), (&first[..7], 40));
    assert_ne!(other[7], first[7]);
    browser.wait("document.querySelector('.turn small').textContent === '3 / 3'");
    browser.click(".turn button");
    assert_eq!(tokens(&browser), first);
    // By the keyboard.
    browser.run("document.querySelector('.column [data-at=\"3\"]').click()");
    browser.run("document.querySelector('.column .chosen').focus()");
    browser.press("\u{e014}");
    browser.wait("document.activeElement.dataset.at === '4' && document.querySelector('.chosen').dataset.at === '4'");
    settings_reshape(&browser);
    a_text_stops_and_unknown_characters_are_left_out(&browser);
    browser.is_clean(&page.address());
}

fn settings_reshape(browser: &Browser) {
    let drawable = |slider: u32, value: &str, expected: &str| {
        enter(
            browser,
            &format!(".knobs .knob:nth-child({slider}) input"),
            value,
        );
        browser.wait(&format!(
            "(() => {{ const can = [...document.querySelectorAll('.choices .set')]
               .filter((e) => e.textContent !== '–'); return {expected}; }})()"
        ));
    };
    drawable(2, "3", "can.length === 3");
    drawable(1, "0", "can.length === 1 && can[0].textContent === '100%'");
    drawable(1, "0.8", "can.length === 3");
    drawable(4, "0.5", "can.length <= 3 && can.length >= 1");
}

fn a_text_stops_and_unknown_characters_are_left_out(browser: &Browser) {
    // A long text stops when it is told to. An observer sees each token before the next is read,
    // however late the page gets the processor.
    enter(browser, "#play-length", "2000");
    enter(browser, ".knobs .knob:nth-child(2) input[type=number]", "");
    browser.run(
        "const stop = new MutationObserver(() => {
           if (document.querySelectorAll('.column [data-at]').length <= 3) return;
           stop.disconnect();
           document.getElementById('play-stop').click();
         });
         stop.observe(document.querySelector('.column .text'), { childList: true });
         document.getElementById('play-go').click()",
    );
    idle(browser);
    browser.wait("document.querySelector('.column .standing').textContent.startsWith('stopped')");
    assert!((3..2000).contains(&tokens(browser).len()));
    // Characters that the model doesn't know.
    enter(browser, "#play-length", "5");
    enter(browser, "#play-prompt", "A 中 day");
    write(browser);
    browser.wait("document.querySelector('.column .standing').textContent.includes('“中”')");
    browser.click(".column .skip-unknown");
    browser.wait("document.querySelector('.column .text').textContent.startsWith('A  day')");
    idle(browser);
    assert_eq!(tokens(browser).len(), 5);
}

#[test]
fn no_text_becomes_markup_and_parts_of_characters_are_no_question_marks() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let hostile = [
        "<script>window.hacked = 1</script>",
        "<img src=x onerror=\"window.hacked=1\">",
        "</textarea></div><svg onload='window.hacked=1'>",
        "\u{202e}right to left\u{202c} nul \u{0} escape \u{1b}[31m 你好\u{1f600}",
    ];
    let text: String = (0..60).map(|i| format!("{}\n", hostile[i % 4])).collect();
    place.write("t.txt", text.as_bytes());
    for (name, tokenizer) in [("<b>run<img>", "bpe:400"), ("bytes", "bytes")] {
        place
            .run(&format!(
                "train t.txt --preset tiny --steps 8 --run {name} --quiet --set eval.every=8 \
                 --set data.tokenizer={tokenizer} --set eval.tokens=256"
            ))
            .fine();
        let page = Page::watch(&place, &format!("play {name}"));
        browser.size(390, 2300);
        open(&browser, &page);
        enter(&browser, "#play-prompt", &hostile.join("\n"));
        enter(&browser, "#play-length", "60");
        enter(
            &browser,
            ".knobs .knob:nth-child(1) input[type=number]",
            "2",
        );
        write(&browser);
        browser.wait("document.querySelectorAll('.column [data-at]').length > 20");
        browser.click(".column [data-at='9']");
        browser.wait("document.querySelectorAll('.choices .choice').length >= 12");
        enter(&browser, "#own-text", &hostile.join("\n"));
        browser.click("#own-go");
        browser.wait("document.querySelectorAll('#own-tokens span').length > 10");
        let shown = "return document.getElementById('own-tokens').textContent";
        let shown = browser.run(shown);
        let shown = shown.as_str().unwrap();
        assert!(shown.contains("onload='window.hacked=1'>") && shown.contains("你好\u{1f600}"));
        assert!(
            shown.contains("nul ␀ escape ␛") && !shown.contains('\u{1b}'),
            "{shown}"
        );
        if name == "bytes" {
            let parts = "return document.querySelectorAll('#own-tokens .part').length";
            // All bytes but the last: two characters of direction, 你 and 好 have 3, 😀 has 4.
            assert_eq!(browser.run(parts), json!(2 * 2 + 2 * 2 + 3));
        }
        enter(&browser, "#inside-own", &hostile.join("\n")[..30]);
        browser.click("#inside-go");
        browser.wait("document.querySelectorAll('#inside-map text').length >= 2");
        browser.picture(&format!("play-hostile-{tokenizer}"));
        let found = "return [...document.querySelectorAll(`body script, img, iframe, object, embed,
                       form, style, svg:not(#inside-map), b b, [onload], [onerror]`)].map((e) => e.outerHTML)";
        assert_eq!(browser.run(found), json!([]));
        assert_eq!(
            browser.run("return typeof window.hacked"),
            json!("undefined")
        );
        assert!(
            browser
                .run("return document.documentElement.scrollWidth")
                .as_u64()
                <= Some(390)
        );
        browser.is_clean(&page.address());
    }
    folders_and_fits(&browser, &place);
}

/// A folder without a run can be played with, a run without a language model can't.
fn folders_and_fits(browser: &Browser, place: &Place) {
    place.run("export bytes -o hf/").fine();
    let page = Page::watch(place, "play hf");
    open(browser, &page);
    write(browser);
    browser.wait("document.querySelectorAll('.column [data-at]').length > 20");
    assert_eq!(
        browser.run("return document.querySelector('.chips, a.to')"),
        json!(null)
    );
    place.run("fit --run f --quiet").fine();
    let page = Page::watch(place, "watch f");
    browser.open(&format!("{}play", page.address()));
    browser.wait("document.querySelector('main').textContent.includes('`downhill fit` run')");
}
