//! Text forms of numbers and bytes.

/// Returns `number` with thousands separators: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns `bytes` in lower-case hexadecimal, two digits per byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Returns `text` in one line of at most `max` characters, without characters that change how other
/// text is shown: control characters, and those that change the direction of writing.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line: String = text
        .chars()
        .filter(|char| !is_invisible(*char))
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(max + 1)
        .collect();
    if line.chars().count() > max {
        line.pop();
        line.push('…');
    }
    line
}

/// Whether a character is not shown itself, but changes the text around it. Keeps the joiners that
/// scripts and emoji need.
pub fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_strangers_is_one_short_line_without_directions() {
        assert_eq!(super::one_line("a\u{202e}b\nc\u{2066}\u{200f}\u{feff}d\0", 9), "ab cd ");
        assert_eq!(super::one_line("äöüß", 3), "äöü…");
        assert_eq!(super::one_line("👩\u{200d}👧", 9), "👩\u{200d}👧");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(super::grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::hex(&[0x00, 0x0f, 0xff]), "000fff");
    }
}
