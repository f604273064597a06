//! The landscape of a language model in a real browser. Without Chromium it prints a line and ends.
#![allow(clippy::unwrap_used)]

mod common;

use common::browser::Browser;
use common::page::{Page, language_run, open};
use serde_json::json;

#[test]
fn a_models_landscape_turns_and_its_optimizers_race() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    let page = Page::watch(&place, "watch r");
    browser.size(1280, 1400);
    open(&browser, &page);
    browser.run("document.getElementById('terrain').scrollIntoView()");
    browser.wait("document.querySelectorAll('#terrain-flat .scatterlayer .trace').length >= 6");
    browser.wait("document.querySelector('#terrain-3d canvas')");
    // Paths lie on the drawn surface, wherever they are: never below it, and hardly above.
    let above = browser.run(
        "const [surface, ...paths] = document.getElementById('terrain-3d').data;
         const {x, y, z} = surface, step = [x[1] - x[0], y[1] - y[0]];
         const range = Math.max(...z.flat()) - Math.min(...z.flat());
         const off = [];
         for (const path of paths) path.x.forEach((px, k) => {
           if (px === null) return;
           const [u, v] = [(px - x[0]) / step[0], (path.y[k] - y[0]) / step[1]];
           const [i, j] = [Math.min(x.length - 2, Math.floor(u)), Math.min(y.length - 2, Math.floor(v))];
           const mix = (a, b, t) => a * (1 - t) + b * t;
           const row = (r) => mix(z[r][i], z[r][i + 1], u - i);
           off.push((path.z[k] - mix(row(j), row(j + 1), v - j)) / range);
         });
         return [off.length, Math.min(...off), Math.max(...off)]",
    );
    let [count, least, most] = [0, 1, 2].map(|i| above[i].as_f64().unwrap());
    assert!(count > 50.0 && least > 0.005 && most < 0.02, "{above}");

    // The race: at the first step all have the same mean cost, at the last SGD has a lower one.
    let costs = |step: u64| -> Vec<f64> {
        browser.run(&format!(
            "const s = document.querySelector('#terrain input[type=range]'); s.value = {step};
             s.dispatchEvent(new Event('input'))"
        ));
        let shown =
            format!("document.querySelector('#terrain output').textContent.endsWith(' {step}')");
        browser.wait(&shown);
        let cells = browser.run(
            "return [...document.querySelectorAll('#terrain-table tr')].slice(1)
               .map((r) => Number(r.lastElementChild.textContent))",
        );
        let cells = cells.as_array().unwrap().iter();
        cells.map(|cell| cell.as_f64().unwrap()).collect()
    };
    let (first, last) = (costs(0), costs(8));
    assert_eq!(first, [first[0]; 4]);
    assert!(last[0] < first[0], "{first:?} {last:?}");
    browser.picture("landscape");

    // One optimizer alone.
    browser.run(
        "const s = document.querySelector('#terrain select'); s.value = 'adam';
         s.dispatchEvent(new Event('change'))",
    );
    browser.wait(
        "document.getElementById('terrain-flat').data
           .filter((t) => t.mode === 'lines' && t.x.some((x) => x !== null)).length === 2",
    );
    browser.is_clean(&page.address());
}

#[test]
fn a_line_is_a_curve_and_without_a_landscape_the_page_says_how_to_get_one() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = language_run();
    place.run("landscape r --to r --grid 9").fine();
    let page = Page::watch(&place, "watch r");
    browser.size(390, 1400);
    open(&browser, &page);
    browser.run("document.getElementById('terrain').scrollIntoView()");
    browser.wait("document.querySelectorAll('#terrain-flat .scatterlayer .trace').length === 2");
    assert_eq!(
        browser.run("return document.getElementById('terrain-3d')"),
        json!(null)
    );
    browser.picture("landscape-line");

    std::fs::remove_file(place.path("r/probes/landscape.json")).unwrap();
    open(&browser, &page);
    browser.run("document.getElementById('terrain').scrollIntoView()");
    browser.wait(
        "document.getElementById('terrain-none').textContent.endsWith('downhill landscape r')",
    );
    browser.is_clean(&page.address());
}
