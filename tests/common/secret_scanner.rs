//! Listens to what the product says while it is tested, and ends the tests at the first secret of a simulated Oura.

use std::io::{Read, Write};
use std::sync::Once;
use std::thread::JoinHandle;

use ringside::simulator::SECRET_MARK;

/// Has everything logged or panicked with in this process heard, from now on.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A test that listens by itself did so before.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Ear)
            .try_init();
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            hear(panic.to_string().as_bytes());
            shown(panic);
        }));
    });
}

/// Ends the process, whatever catches panics, if a secret is in `said`.
pub fn hear(said: &[u8]) {
    if said.windows(SECRET_MARK.len()).any(|window| window == SECRET_MARK.as_bytes()) {
        // Past what the test harness captures, which ends with the process.
        let _ = writeln!(std::io::stderr(), "a secret was said: {}", String::from_utf8_lossy(said));
        std::process::abort();
    }
}

/// Hears all that a program writes into `stream`, to its end; it can be had from the thread.
pub fn overhear(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        // What came before a broken pipe was said as well.
        let _ = stream.read_to_end(&mut said);
        hear(&said);
        said
    })
}

struct Ear;

impl Write for Ear {
    fn write(&mut self, said: &[u8]) -> std::io::Result<usize> {
        hear(said);
        Ok(said.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
