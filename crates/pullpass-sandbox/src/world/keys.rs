//! The keys of the world: what its tokens are signed with, and what its fingerprints are made with.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use crypto_box::SecretKey;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::dice::Dice;
use super::secret::Secret;

pub(crate) type Key = [u8; 64];

/// HMAC-SHA-256.
pub(crate) fn mac(key: &Key, data: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new(key.into());
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `sha256:` and the digest, as registries name content.
pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

#[derive(Clone)]
pub(crate) struct Keys {
    signing: Key,
    marking: Key,
    sealing: Key,
}

impl Keys {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut key = || {
            let mut key = [0; 64];
            for (to, from) in key
                .iter_mut()
                .zip(dice.block().into_iter().chain(dice.block()))
            {
                *to = from;
            }
            key
        };
        Self {
            signing: key(),
            marking: key(),
            sealing: key(),
        }
    }

    /// A JSON Web Token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Secret {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({"alg": "HS256", "typ": "JWT"}));
        let text = format!("{head}.{}", part(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(mac(&self.signing, text.as_bytes()));
        Secret::new(format!("{text}.{signature}"))
    }

    /// The claims of a token that [`Self::sign`] made and whose `exp` is not over.
    pub(crate) fn verify(&self, token: &Secret, now: i64) -> Option<Value> {
        let (text, signature) = token.expose().rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        if signature != mac(&self.signing, text.as_bytes()) {
            return None;
        }
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(text.split_once('.')?.1)
            .ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        (claims["exp"].as_i64()? > now).then_some(claims)
    }

    /// Says whether two secrets are the same and nothing else of them.
    pub(crate) fn fingerprint(&self, secret: &str) -> String {
        hex(&mac(&self.marking, secret.as_bytes())[..12])
    }

    /// The code that the person's authenticator shows in this half minute.
    pub(crate) fn second_factor(&self, account: &str, now: i64) -> Secret {
        let block = mac(
            &self.sealing,
            format!("{account} {}", now.div_euclid(30)).as_bytes(),
        );
        let number = block
            .iter()
            .take(6)
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        Secret::new(format!("{:06}", number % 1_000_000))
    }

    /// The key pair that GitHub keeps for one scope of secrets (`acme/shop`, its environment, …).
    pub(crate) fn sealing_key(&self, scope: &str) -> SecretKey {
        SecretKey::from(mac(&self.sealing, scope.as_bytes()))
    }

    /// The number under which GitHub gives out its public half.
    pub(crate) fn sealing_key_id(&self, scope: &str) -> String {
        let block = mac(&self.marking, scope.as_bytes());
        let number = block
            .iter()
            .take(8)
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        format!("3{number:018}").chars().take(18).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&mut Dice::new(1, "keys"))
    }

    #[test]
    fn a_token_holds_until_it_expires_and_only_as_it_was_signed() {
        let keys = keys();
        let token = keys.sign(&json!({"sub": "acmeowner", "exp": 100}));
        assert_eq!(keys.verify(&token, 99).unwrap()["sub"], "acmeowner");
        assert!(keys.verify(&token, 100).is_none());
        let (head, rest) = token.expose().split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"another","exp":100}"#);
        let forged = Secret::new(format!("{head}.{claims}.{signature}"));
        assert!(keys.verify(&forged, 99).is_none());
    }

    #[test]
    fn mac_is_the_standards() {
        // RFC 4231, test case 2, whose key is padded with zeros to a block as HMAC does itself.
        let mut key = [0; 64];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(&mac(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
