//! Starts the two threads: one owns the model, the other serves connections.

use crate::access::Access;
use crate::error::{Error, Result};
use crate::routes::router;
use crate::scheduler::{self, KEPT, Room};
use crate::served::Served;
use serve::{Bounds, Names, accept_within};
use session::{Opened, page_bytes, pages_of};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Maximum number of connections, and of their lifetime.
const CONNECTIONS: usize = 1024;
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// Threads that read requests.
const READERS: usize = 2;
/// Share of the free memory that the cache may take, as a divisor.
const CACHE_SHARE: u64 = 4;

/// How a model is served.
pub struct ApiOptions {
    /// The model.
    pub opened: Opened,
    /// Its name in the API.
    pub name: String,
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The key that requests need; an address that other machines can reach needs one.
    pub key: Option<String>,
    /// Hosts by which the server may be called, besides its own address.
    pub hosts: Vec<String>,
    /// Origins whose pages may use the server.
    pub origins: Vec<String>,
    /// Maximum number of texts that are written together, and that wait.
    pub texts: usize,
    /// See `texts`.
    pub waiting: usize,
}

/// A server that runs until it is dropped.
pub struct ApiServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts the server.
    ///
    /// # Errors
    /// If the address isn't available or needs a key, or a thread can't start.
    pub fn start(options: ApiOptions) -> Result<ApiServer> {
        let ip = options.address.ip();
        if !ip.is_loopback() && options.key.is_none() {
            return Err(Error::NoKey(ip));
        }
        let listener = bind(options.address)?;
        let address = listener.local_addr().map_err(Error::Start)?;
        let names = names(address, &options.hosts, &options.origins);
        let access = Access::new(names, options.key);
        let room = room(&options.opened, options.texts);
        let mut opened = options.opened.with_cache(room.texts + KEPT, room.pages);
        let (jobs, receiver) = mpsc::channel();
        let places = options.texts + options.waiting;
        let served = Arc::new(Served::new(&opened, options.name, jobs, places)?);
        let (metrics, ended) = (served.metrics.clone(), served.ended.clone());
        // It ends when the last sender of jobs is gone.
        let write = move || {
            scheduler::run(&mut opened, room, &receiver, metrics);
            ended.store(true, Ordering::Relaxed);
        };
        spawn("model", write)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(READERS)
            .build()
            .map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel();
        let bounds = Bounds {
            connections: CONNECTIONS,
            life: LIFE,
        };
        let serve = move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = accept_within(listener, router(served, access), bounds) => {}
                    _ = stopped => {}
                }
            });
            // A request that is being read doesn't hold up the end.
            runtime.shutdown_background();
        };
        Ok(ApiServer {
            address,
            stop: Some(stop),
            thread: Some(spawn("api", serve)?),
        })
    }

    /// The base URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for ApiServer {
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

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn(work).map_err(Error::Start)
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|error| Error::Bind { address, error })?;
    listener.set_nonblocking(true).map_err(Error::Start)?;
    Ok(listener)
}

/// The Hosts and Origins that are accepted. Where other machines can reach the server, so is any IP
/// address: it has more than one, and a key protects it.
fn names(address: SocketAddr, hosts: &[String], origins: &[String]) -> Names {
    let mut hosts = hosts.to_vec();
    if address.ip() == IpAddr::from(std::net::Ipv6Addr::LOCALHOST) {
        hosts.push(address.to_string());
    }
    let addresses = !address.ip().is_loopback();
    Names::new(address.port()).and(&hosts, origins, addresses)
}

/// How many texts fit: each needs pages for a context at most.
fn room(opened: &Opened, texts: usize) -> Room {
    let each = pages_of(opened.model.context);
    let page = page_bytes(&opened.model).max(1);
    let most = run::available_bytes().map_or(u64::MAX, |free| free / CACHE_SHARE / page);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let pages = (texts + KEPT).saturating_mul(each);
    Room {
        texts,
        pages: pages.min(most).max(each),
    }
}
