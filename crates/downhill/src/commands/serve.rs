//! `downhill serve`: an API in OpenAI's form for a trained model.

use crate::arguments::Serve;
use crate::failure::{Failure, Result};
use crate::output::out;
use crate::session::{opened, stop_flag};
use api::{Access, ApiOptions, ApiServer};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is checked whether the server should end.
const PAUSE: Duration = Duration::from_millis(50);

/// Open files that are enough for every connection and the model.
#[cfg(unix)]
const FILES: u64 = 4096;

pub fn run(a: &Serve) -> Result<()> {
    let key = a.api_key_file.as_deref().map(key).transpose()?;
    if key.is_none() && !a.host.is_loopback() {
        return Err(Failure::Usage(api::Error::NoKey(a.host).to_string()));
    }
    let (opened, run) = opened(&a.saved)?;
    let folder = run.map_or(opened.folder.clone(), |run| run.path().to_path_buf());
    // The path may be `.`.
    let folder = folder.canonicalize().unwrap_or(folder);
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let options = ApiOptions {
        name: a
            .model_name
            .clone()
            .or(name)
            .unwrap_or_else(|| "model".into()),
        opened,
        address: SocketAddr::new(a.host, a.port),
        key,
        hosts: a.allow_host.clone(),
        origins: a.allow_origin.clone(),
        texts: a.streams as usize,
        waiting: a.queue as usize,
    };
    let stop = stop_flag()?;
    allow_connections();
    let server = ApiServer::start(options).map_err(|e| Failure::Failed(e.to_string()))?;
    let mut out = out();
    writeln!(out, "serving {}", server.url())?;
    out.flush()?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Raises the limit of open files as far as the system lets it: each connection is one.
fn allow_connections() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
        if limit.current.is_some_and(|current| current < wanted) {
            limit.current = Some(wanted);
            // Otherwise new connections wait until others close.
            let _ = setrlimit(Resource::Nofile, limit);
        }
    }
}

/// The key in a file.
fn key(path: &Path) -> Result<String> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::Failed(format!("{name}: can't be read: {e}")))?;
    Access::key(&text).map_err(|e| Failure::Failed(format!("{name}: {e}")))
}
