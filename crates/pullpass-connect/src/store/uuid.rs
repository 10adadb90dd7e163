//! The usual way to write a token's id: 8-4-4-4-12 hexadecimal digits.

use pullpass_fleet::observed::TokenId;

/// The id, as Docker Hub writes it.
pub(super) fn text(id: TokenId) -> String {
    let digits = format!("{:032x}", id.0);
    let mut out = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

/// Reads an id, to the letter.
pub(super) fn parse(id: &str) -> Option<u128> {
    let number = u128::from_str_radix(&id.replace('-', ""), 16).ok()?;
    (text(TokenId(number)) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_nothing_else_is() {
        let id = "0f3c2a11-0000-4000-8000-00000000000f";
        assert_eq!(text(TokenId(parse(id).unwrap())), id);
        for wrong in [
            "",
            "0f3c2a11",
            "0F3C2A11-0000-4000-8000-00000000000f",
            "0f3c2a110000-4000-8000-00000000000f",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
