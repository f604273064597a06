//! The page's threads take nothing from a team that trains.

/// Gives this thread the lowest priority.
pub fn lower() {
    // On other systems a priority is the whole process's.
    #[cfg(target_os = "linux")]
    {
        const LOWEST: i32 = 19;
        // Linux counts priorities by thread; a page at normal priority is better than none.
        let _ = rustix::process::setpriority_process(None, LOWEST);
    }
}
