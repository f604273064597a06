//! The lessons in a real browser, in both languages, as `browser` tests the live page.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Place;
use common::browser::Browser;
use common::page::Page;
use serde_json::{Value, json};

/// A lesson: two values for its knob, an expression that is true once the result of the first is
/// shown, and a right and a wrong answer. An empty one: what the page shows, see `found`.
struct Lesson {
    values: [&'static str; 2],
    shown: &'static str,
    answers: [&'static str; 2],
}

const fn lesson(
    values: [&'static str; 2],
    shown: &'static str,
    answers: [&'static str; 2],
) -> Lesson {
    Lesson {
        values,
        shown,
        answers,
    }
}

/// In English; the Chinese first lesson has another text.
const LESSONS: [Lesson; 9] = [
    lesson(
        ["Soon they all walked hom", "One day, the "],
        "document.querySelectorAll('#lesson-guesses button').length === 8",
        ["2", "1"],
    ),
    lesson(
        ["0.001", "0.5"],
        "document.querySelectorAll('#lesson-pull .scatterlayer .trace').length === 4",
        ["1", "2"],
    ),
    lesson(
        ["2", "-1"],
        "document.querySelectorAll('#lesson-curve .scatterlayer .trace').length === 3",
        ["2", "0"],
    ),
    lesson(
        ["0.1", "0.5"],
        "document.querySelectorAll('#lesson-points .scatterlayer .trace').length === 3",
        ["0,1", "0.02"],
    ),
    lesson(["40", "0"], MOUNTAIN, ["", "3"]),
    lesson(["0.24", "0.3"], MOUNTAIN, ["0.25", "0.5"]),
    lesson(
        ["1", "-2"],
        "document.querySelectorAll('#lesson-chain tr').length === 7",
        ["1", "0"],
    ),
    lesson(
        ["60", "1"],
        "document.querySelector('#lesson-done p')
         && document.querySelectorAll('#lesson-stages div').length >= 2",
        ["", "1"],
    ),
    lesson(
        ["3", "2"],
        "document.querySelectorAll('#lesson-copied b').length === 4
         && document.querySelector('#lesson-result .copies u')",
        ["2", "1"],
    ),
];

const MOUNTAIN: &str =
    "document.querySelectorAll('#mountain-flat .scatterlayer .trace').length >= 2
     && document.querySelectorAll('#mountain-3d canvas').length >= 1
     && document.querySelectorAll('#mountain-data .scatterlayer .trace').length === 2";

/// Sets the knob, and waits for its result.
fn turn(browser: &Browser, number: usize, value: &str) {
    browser.run(&format!(
        "const e = document.getElementById('lesson-value'); e.value = {};
         delete document.documentElement.dataset.done;
         e.dispatchEvent(new Event('input')); document.getElementById('lesson-go')?.click()",
        json!(value)
    ));
    browser.wait(&format!(
        "document.documentElement.dataset.done === {}",
        json!(format!("{number} {value}"))
    ));
    let error = browser.run("return document.getElementById('lesson-error').textContent");
    assert_eq!(error, json!(""), "lesson {number}, {value}");
}

fn text(browser: &Browser, selector: &str) -> String {
    let found = browser.run(&format!(
        "return document.querySelector(`{selector}`).textContent"
    ));
    found.as_str().unwrap().to_owned()
}

/// The answer that the page shows: the first step after which all have arrived, or the loss before
/// the first step.
fn found(browser: &Browser, number: usize) -> String {
    if number == 8 {
        let loss = "return document.querySelector('[data-step=\"0\"]').dataset.loss";
        return browser.run(loss).as_str().unwrap()[..4].to_owned();
    }
    let arrived = |steps: u32| {
        turn(browser, number, &steps.to_string());
        text(browser, "#lesson-crowd b") == "200 / 200"
    };
    let (mut low, mut high) = (0, 60);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        match arrived(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    high.to_string()
}

/// Answers the question; returns how the answer was taken.
fn answer(browser: &Browser, answer: &str) -> String {
    browser.run(&format!(
        "const box = document.querySelector('.question [type=radio][value=\"{answer}\"]');
         const field = document.querySelector('.question [inputmode]');
         if (box) box.click(); else field.value = '{answer}';
         document.getElementById('lesson-told').className = '';
         document.getElementById('lesson-check').click()"
    ));
    browser.wait("document.getElementById('lesson-told').className");
    let kind = "return document.getElementById('lesson-told').className";
    browser.run(kind).as_str().unwrap().to_owned()
}

fn is_in(language: &str, told: &str) -> bool {
    let han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    told.contains(han) == (language == "zh")
}

#[test]
fn every_lesson_works_on_a_phone_in_both_languages() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let page = Page::watch(&place, "lesson --threads 1");
    for language in ["en", "zh"] {
        for (lesson, number) in LESSONS.iter().zip(1..) {
            browser.size(390, 2600);
            // A link of a teacher. The page is opened anew: only its fragment differs.
            browser.open("about:blank");
            browser.open(&format!(
                "{}lesson?lang={language}#{number}",
                page.address()
            ));
            browser.wait("document.documentElement.dataset.ready === 'yes'");
            visit(&browser, lesson, number, language);
        }
        let solved = "return document.querySelectorAll('.ways .solved').length";
        assert_eq!(browser.run(solved), json!(9));
        browser.run("localStorage.removeItem('solved')");
    }
    browser.is_clean(&page.address());
}

fn visit(browser: &Browser, lesson: &Lesson, number: usize, language: &str) {
    let chinese = language == "zh";
    let values = match (number, chinese) {
        (1, true) => ["大家高高兴", "有一天，"],
        _ => lesson.values,
    };
    let mut results: Vec<String> = Vec::new();
    for value in values.iter().rev() {
        turn(browser, number, value);
        browser.wait(lesson.shown);
        results.push(text(browser, "#lesson-result"));
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(wide.as_u64() <= Some(390), "lesson {number}: {wide}");
    }
    assert_ne!(
        results[0], results[1],
        "lesson {number}: the knob changes nothing"
    );
    browser.picture(&format!("lesson-{number}-{language}"));
    let [right, wrong] = lesson.answers;
    let right = match right {
        "" => found(browser, number),
        known => known.to_owned(),
    };
    for (given, kind) in [(wrong, "wrong"), (&right, "right"), ("", "wrong")] {
        if given.is_empty()
            && browser.run("return document.querySelector('[type=radio]')") != Value::Null
        {
            continue;
        }
        assert_eq!(answer(browser, given), kind, "lesson {number}: {given}");
        let told = text(browser, "#lesson-told");
        assert!(told.len() > 20 && is_in(language, &told), "{told}");
    }
    let texts =
        "return [...document.querySelectorAll('h2, section > p, .knob b, .question p, .note')]
        .map((e) => e.textContent)";
    for told in browser.run(texts).as_array().unwrap() {
        assert!(is_in(language, told.as_str().unwrap()), "{told}");
    }
}

#[test]
fn bad_values_are_explained_and_the_reader_finds_the_way() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Place::new();
    let page = Page::watch(&place, "lesson --threads 1");
    browser.size(1280, 1400);
    browser.open(&format!("{}lesson?lang=en#4", page.address()));
    browser.wait("document.querySelector('#lesson-formula')");
    let enter = |value: &str| {
        browser.run(&format!(
            "const e = document.getElementById('lesson-value'); e.value = {};
             e.dispatchEvent(new Event('input'))",
            json!(value)
        ));
    };
    for value in ["7", "-1", ""] {
        enter(value);
        let told = text(&browser, "#lesson-error");
        assert_eq!(told, "Choose a number from 0 to 1.", "{value}");
    }
    browser.click("#language");
    browser.wait("document.documentElement.lang === 'zh-CN'");
    browser.wait("document.querySelector('#lesson-formula')");
    browser.picture("lesson-desk-zh");
    // By keys and by links; the address stays one that can be passed on.
    browser.run("document.activeElement.blur()");
    browser.press("3");
    browser.wait("document.querySelector('#lesson-walked')");
    let address = "return location.search + location.hash";
    assert_eq!(browser.run(address), json!("?lang=zh#3"));
    browser.click(".onward a:last-child");
    browser.wait("document.querySelector('#lesson-formula')");
    browser.click("#theme");
    browser.wait("document.querySelector('#lesson-curve .scatterlayer .trace')");
    browser.picture("lesson-desk-dark");
    // Characters that the model never saw, and markup, which stays text.
    browser.open(&format!("{}lesson?lang=en#1", page.address()));
    browser.wait("document.querySelector('#lesson-guesses')");
    enter("so 😀");
    browser.wait("document.getElementById('lesson-error').textContent.includes('😀')");
    enter("");
    browser.wait("document.getElementById('lesson-error').textContent === ''");
    browser.wait("document.querySelectorAll('.tokens span').length === 1");
    // A click adds a token.
    enter("home");
    browser.wait("document.querySelectorAll('.tokens span').length === 4");
    browser.click("#lesson-guesses button");
    browser.wait("document.querySelectorAll('.tokens span').length === 5");
    let value = "return document.getElementById('lesson-value').value.length";
    assert_eq!(browser.run(value), json!(5));
    browser.is_clean(&page.address());
}
