//! Thread priority: the page's threads must not slow down training.

/// Sets this thread to the lowest priority.
pub fn lower() {
    // On other systems a priority applies to the whole process.
    #[cfg(target_os = "linux")]
    {
        const LOWEST: i32 = 19;
        // On Linux it applies to this thread. If it fails, a page at normal priority is better
        // than none.
        let _ = rustix::process::setpriority_process(None, LOWEST);
    }
}
