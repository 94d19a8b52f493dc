//! The bearer token of a call (RFC 6750 section 2.1).

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use rollcall_events::request::Denial;
use rollcall_events::token::{Token, TokenDigest};

/// Reads the only `Authorization` header. A text that is not in our token format is refused without a
/// look-up.
pub(super) fn bearer(headers: &HeaderMap) -> Result<TokenDigest, Denial> {
    let mut given = headers.get_all(AUTHORIZATION);
    let value = given.next().ok_or(Denial::MissingToken)?;
    if given.next().is_some() {
        return Err(Denial::MalformedToken);
    }
    let value = value.to_str().map_err(|_| Denial::MalformedToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denial::MalformedToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denial::MalformedToken);
    }
    Token::parse(token.trim()).map(|token| token.digest()).map_err(|_| Denial::MalformedToken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_one_well_formed_token_is_accepted() {
        let token = Token::generate().unwrap();
        let good = format!("Bearer {}", token.reveal());
        let typo = format!("{}x", &good[..good.len() - 1]);
        assert_eq!(bearer(&headers(&[&good])), Ok(token.digest()));
        assert_eq!(bearer(&headers(&[&good.replace("Bearer", "bearer")])), Ok(token.digest()));
        assert_eq!(bearer(&headers(&[])), Err(Denial::MissingToken));
        assert_eq!(bearer(&headers(&[&good, &good])), Err(Denial::MalformedToken));
        assert_eq!(bearer(&headers(&["Bearer"])), Err(Denial::MalformedToken));
        assert_eq!(bearer(&headers(&[&good.replace("Bearer", "Basic")])), Err(Denial::MalformedToken));
        if typo != good {
            assert_eq!(bearer(&headers(&[&typo])), Err(Denial::MalformedToken));
        }
    }
}
