//! The server's one thread: accepts connections, within limits, and polls the runs.

use crate::api::{App, router};
use crate::connection::Connections;
use crate::control::Control;
use crate::guard::Names;
use crate::lessons;
use crate::play_api;
use crate::power::Power;
use crate::priority;
use crate::shelf::{Runs, Shelf};
use crate::teacher::Teacher;
use crate::{Error, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// First port tried, and how many are tried.
const PORT: u16 = 8311;
const PORTS: u16 = 20;
/// Size, number and timeout of a request's headers; and maximum lifetime of a connection (an open
/// page reconnects).
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
const HEADER_TIME: Duration = Duration::from_secs(10);
const LIFE: Duration = Duration::from_secs(3600);
/// Maximum connections of the page.
const CONNECTIONS: usize = 64;
/// How long open pages can still read what happened when the server is about to close.
const LINGER: Duration = Duration::from_millis(1500);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(500);

/// What a server shows, and on which port.
pub struct Options {
    /// The runs.
    pub runs: Runs,
    /// The port; if `None`, the first free one from 8311 on.
    pub port: Option<u16>,
    /// The page's control over training; if `None`, it has none.
    pub control: Option<Control>,
    /// What the playground's models may take.
    pub power: Power,
    /// Who knows the lessons.
    pub teacher: Arc<dyn Teacher>,
}

/// A server that runs until it is dropped.
pub struct Server {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the server, on 127.0.0.1 only.
    ///
    /// # Errors
    /// If no port is free or the thread can't start.
    pub fn start(options: Options) -> Result<Server> {
        let (from, to) = match options.port {
            Some(port) => (port, port),
            None => (PORT, PORT + PORTS - 1),
        };
        let listener = bind(from, to)?;
        listener.set_nonblocking(true).map_err(Error::Start)?;
        let port = listener.local_addr().map_err(Error::Start)?.port();
        let shelf = Shelf::new(options.runs);
        let app = App::new(shelf, options.control, options.power, options.teacher);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(Error::Start)?;
        let desk = app.desk.clone();
        let work = move || {
            // Threads of the models inherit it.
            if options.power.lowest {
                priority::lower();
            }
            runtime.block_on(async {
                let open = app.clone();
                let closes = async move {
                    let _ = stopped.await;
                    // The end of a run is an event like the others: it reaches the pages.
                    if open.shelf().look() {
                        tokio::time::sleep(LINGER).await;
                    }
                };
                tokio::select! {
                    () = accept(listener, app, port) => {}
                    () = closes => {}
                }
            });
            // All clients are gone then, which ends what they asked for.
            drop(runtime);
            desk.close();
        };
        let thread = std::thread::Builder::new().name("page".into()).spawn(work);
        Ok(Server {
            port,
            stop: Some(stop),
            thread: Some(thread.map_err(Error::Start)?),
        })
    }

    /// The page's address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(from: u16, to: u16) -> Result<TcpListener> {
    let mut last = std::io::Error::other("no port was tried");
    for port in from..=to {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(Error::Bind {
        from,
        to,
        error: last,
    })
}

async fn accept(listener: TcpListener, app: App, port: u16) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let shelf = app.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            shelf.shelf().look();
        }
    });
    let bounds = Bounds {
        connections: CONNECTIONS,
        life: LIFE,
    };
    accept_within(
        listener,
        router(
            app,
            Names::new(port),
            play_api::routes().merge(lessons::routes()),
        ),
        bounds,
    )
    .await;
}

/// What limits the connections of a server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Maximum number of connections; a new one beyond it closes the slowest idle one.
    pub connections: usize,
    /// Maximum lifetime of a connection.
    pub life: Duration,
}

/// Accepts connections forever, within limits, and answers their requests.
pub async fn accept_within(listener: tokio::net::TcpListener, routes: Router, bounds: Bounds) {
    let service = TowerToHyperService::new(routes);
    let connections = Connections::new(bounds.connections);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // There may be too many open files: wait for some to close.
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(HEADER_BYTES)
            .max_headers(HEADERS);
        let stream = connections.add(stream);
        let closing = stream.closing();
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            // A connection that fails, lasts too long or must make room is closed; a page
            // reconnects.
            tokio::select! {
                _ = tokio::time::timeout(bounds.life, connection) => {}
                () = closing.asked() => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_head_never_ends_is_closed_after_10_seconds() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounds = Bounds {
            connections: 8,
            life: 100 * HEADER_TIME,
        };
        tokio::spawn(accept_within(listener, Router::new(), bounds));
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        let start = tokio::time::Instant::now();
        client.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(!answer.contains(" 200 "), "{answer}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}
