//! Headless Chromium, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>)
//! through Debian's packages `chromium` and `chromium-driver`.

use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for an answer, and for a condition on the page.
const PATIENCE: Duration = Duration::from_secs(300);

/// No name is resolved, so only this machine can be reached; WebGL runs in software.
const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--lang=en",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--js-flags=--expose-gc",
];

/// A browser with one window; closed when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one. Without Chromium and its driver, prints so and returns `None`.
    pub fn start() -> Option<Browser> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            println!("SKIPPED: no chromedriver here (Debian: chromium, chromium-driver)");
            return None;
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let line = lines.find(|l| l.contains("started successfully on port"));
        let line = line.expect("chromedriver prints its port");
        let port = line.split("on port ").nth(1).unwrap();
        let mut browser = Browser {
            driver,
            port: port.trim_end_matches('.').parse().unwrap(),
            session: String::new(),
        };
        // The driver may print more; a full pipe would block it.
        std::thread::spawn(move || lines.for_each(drop));
        let wish = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": FLAGS},
            "timeouts": {"script": 300_000, "pageLoad": 300_000},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.post("", &wish);
        browser.session = format!("/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Sends one request and reads exactly its answer, since the driver keeps connections open.
    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (session, port, length) = (&self.session, self.port, body.len());
        let head = format!(
            "{method} /session{session}{path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(answer.read_line(&mut line).unwrap(), 0, "the driver ended");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut content = vec![0; length];
        answer.read_exact(&mut content).unwrap();
        let answer: Value = serde_json::from_slice(&content).unwrap();
        let value = &answer["value"];
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value.clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, &body.to_string())
    }

    /// Runs the body of a function in the page, and awaits a promise.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression is true.
    pub fn wait(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            assert!(Instant::now() < until, "never: {expression}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A command of the browser's own protocol.
    pub fn command(&self, name: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": name, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    pub fn open(&self, address: &str) {
        self.post("/url", &json!({"url": address}));
        self.wait("document.readyState === 'complete'");
    }

    /// Sets the window's size; a narrow one is a phone's.
    pub fn size(&self, width: u32, height: u32) {
        let phone = width < 600;
        self.command(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}),
        );
    }

    /// Presses keys in order.
    pub fn press(&self, keys: &str) {
        let each = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let actions: Vec<Value> = each.collect();
        let body = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.post("/actions", &body);
    }

    /// Clicks an element.
    pub fn click(&self, selector: &str) {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let id = found.as_object().unwrap().values().next().unwrap();
        let path = format!("/element/{}/click", id.as_str().unwrap());
        self.post(&path, &json!({}));
    }

    /// Saves a screenshot of the window.
    pub fn picture(&self, name: &str) {
        let folder = std::env::var_os("DOWNHILL_SCREENSHOTS").map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots"),
            PathBuf::from,
        );
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.ask("GET", "/screenshot", "");
        let picture = base64::prelude::BASE64_STANDARD.decode(picture.as_str().unwrap());
        std::fs::write(folder.join(format!("{name}.png")), picture.unwrap()).unwrap();
    }

    /// Bytes on the JavaScript heap after a garbage collection.
    pub fn heap(&self) -> f64 {
        self.command("HeapProfiler.collectGarbage", &json!({}));
        let usage = self.command("Runtime.getHeapUsage", &json!({}));
        usage["usedSize"].as_f64().unwrap()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.post("/se/log", &json!({"type": kind}));
        log.as_array().unwrap().clone()
    }

    /// Asserts that since the last call no error was logged, and nothing was requested from
    /// anywhere but `host`.
    pub fn is_clean(&self, host: &str) {
        let errors = self.log("browser");
        let errors: Vec<_> = errors.iter().filter(|l| l["level"] == "SEVERE").collect();
        assert_eq!(errors, Vec::<&Value>::new());
        for entry in self.log("performance") {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &message["message"];
            let url = match message["method"].as_str().unwrap() {
                "Network.requestWillBeSent" => &message["params"]["request"]["url"],
                "Network.webSocketCreated" => &message["params"]["url"],
                _ => continue,
            };
            let url = url.as_str().unwrap();
            let ours = ["data:", "blob:", "about:", host];
            assert!(ours.iter().any(|o| url.starts_with(o)), "requested {url}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends the browser; killing the driver alone would leave it running.
        if !std::thread::panicking() && !self.session.is_empty() {
            self.ask("DELETE", "", "");
        } else if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let head = format!(
                "DELETE /session{} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
                self.session
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
