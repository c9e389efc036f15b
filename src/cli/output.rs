//! Standard output of all commands.

use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output that ignores a closed pipe, as in `gpx_oura query … | head -1`.
///
/// The command continues and ends with its own exit code. Other errors, such as a full disk, are
/// returned.
pub struct Output(Stdout);

/// Returns standard output.
pub fn stdout() -> Output {
    Output(io::stdout())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }
}
