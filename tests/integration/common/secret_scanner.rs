//! Scans the product's output during the tests, and aborts them at the first secret of a simulated
//! Oura.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, Once, Weak};
use std::thread::JoinHandle;

use memchr::memmem;
use ringside::simulator::SECRET_MARK;

/// Scans everything that this process logs or panics with from now on.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
        let default_hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            scan_and_record(panic.to_string().as_bytes());
            default_hook(panic);
        }));
    });
}

/// Aborts the process if `output` contains a secret. A panic would not do: some code catches it.
pub fn scan(output: &[u8]) {
    if memmem::find(output, SECRET_MARK.as_bytes()).is_some() {
        // Written past the capture of the test harness, which is lost when the process aborts.
        let _ = writeln!(
            std::io::stderr(),
            "the output contains a secret: {}",
            String::from_utf8_lossy(output)
        );
        std::process::abort();
    }
}

/// Scans everything that a program writes into `stream` until its end. The thread returns it.
pub fn scan_stream(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut output = Vec::new();
        // A broken pipe ends the stream; the output before it counts.
        let _ = stream.read_to_end(&mut output);
        scan(&output);
        output
    })
}

/// Collected output, which a test searches in the end. Clones share it.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<u8>>>);

/// The transcripts that receive the log and the panics of this process, until they are dropped.
static RECORDING: Mutex<Vec<Weak<Mutex<Vec<u8>>>>> = Mutex::new(Vec::new());

impl Transcript {
    /// A transcript of everything that this process logs or panics with from now on.
    pub fn of_this_process() -> Transcript {
        install();
        let transcript = Transcript::default();
        RECORDING.lock().unwrap().push(Arc::downgrade(&transcript.0));
        transcript
    }

    pub fn add(&self, output: impl AsRef<[u8]>) {
        self.0.lock().unwrap().extend_from_slice(output.as_ref());
    }

    pub fn contains(&self, text: &str) -> bool {
        memmem::find(&self.0.lock().unwrap(), text.as_bytes()).is_some()
    }
}

fn scan_and_record(output: &[u8]) {
    scan(output);
    RECORDING.lock().unwrap().retain(|transcript| {
        let transcript = transcript.upgrade().map(Transcript);
        transcript.iter().for_each(|transcript| transcript.add(output));
        transcript.is_some()
    });
}

/// The process's log.
struct Log;

impl Write for Log {
    fn write(&mut self, output: &[u8]) -> std::io::Result<usize> {
        scan_and_record(output);
        Ok(output.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
