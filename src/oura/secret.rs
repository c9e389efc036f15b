//! Text that must not appear in logs, errors or responses.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A token, client secret or code. `Display` and `Debug` print `[secret]`; serialization writes
/// the text itself. Dropping it overwrites the text in memory.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text itself, for the code that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The type of the text overwrites it. A test cannot read freed memory.
    #[test]
    fn secret_text_is_overwritten_when_it_is_dropped() {
        fn assert_overwritten(_: &impl zeroize::ZeroizeOnDrop) {}
        assert_overwritten(&Secret::new("hunter2").0);
    }

    #[test]
    fn secret_text_is_not_printed() {
        assert_eq!(format!("{0} {0:?}", Secret::new("hunter2")), "[secret] [secret]");
    }
}
