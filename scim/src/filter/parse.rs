//! The grammar of RFC 7644 figure 1, with `not` before `and` before `or`.

use serde_json::Value;
use winnow::ascii::{multispace0, multispace1};
use winnow::combinator::{alt, cut_err, delimited, opt, peek, preceded};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::Stateful;
use winnow::token::{any, one_of, take_while};

use super::{AttributePath, Comparison, Filter};
use crate::{ScimError, lenience};

/// The longest filter, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// The most comparisons in a filter.
pub const MAX_TERMS: usize = 64;
/// The deepest nesting of parentheses, brackets and `not`.
pub const MAX_DEPTH: usize = 16;

/// The remaining budget of a filter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    terms: usize,
    depth: usize,
}

pub(crate) type Input<'a> = Stateful<&'a str, Budget>;

/// Parses a whole filter.
///
/// # Errors
/// 400 `invalidFilter` with the place of the fault and the expected syntax.
pub fn parse(text: &str) -> Result<Filter, ScimError> {
    whole(text, delimited(multispace0, or, multispace0))
        .map_err(|why| ScimError::invalid_filter(format!("syntax error in the filter {why}")))
}

/// Runs a parser over a whole text of bounded length. The error names the place where it stopped.
pub(crate) fn whole<'a, T>(
    text: &'a str,
    parser: impl Parser<Input<'a>, T, ErrMode<ContextError>>,
) -> Result<T, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("in its length: more than {MAX_LENGTH} bytes"));
    }
    let input = Stateful { input: text, state: Budget { terms: MAX_TERMS, depth: MAX_DEPTH } };
    let mut parser = parser;
    parser.parse(input).map_err(|error| {
        let at = text.get(..error.offset()).map_or(0, |before| before.chars().count()) + 1;
        let why = error.inner().to_string();
        if why.is_empty() {
            format!("at character {at}")
        } else {
            format!("at character {at}: {}", why.replace('\n', ", "))
        }
    })
}

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn too_much<T>(what: &'static str) -> ModalResult<T> {
    let mut error = ContextError::new();
    error.push(StrContext::Label(what));
    Err(ErrMode::Cut(error))
}

fn or(input: &mut Input<'_>) -> ModalResult<Filter> {
    chain(input, "or", and, Filter::Or)
}

fn and(input: &mut Input<'_>) -> ModalResult<Filter> {
    chain(input, "and", term, Filter::And)
}

fn chain(
    input: &mut Input<'_>,
    operator: &'static str,
    mut operand: impl FnMut(&mut Input<'_>) -> ModalResult<Filter>,
    join: fn(Box<Filter>, Box<Filter>) -> Filter,
) -> ModalResult<Filter> {
    let mut left = operand(input)?;
    while opt((multispace1, keyword(operator), peek(one_of([' ', '\t', '(']))).void()).parse_next(input)?.is_some() {
        multispace0.parse_next(input)?;
        let right = cut_err(&mut operand).parse_next(input)?;
        left = join(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn keyword<'a>(word: &'static str) -> impl Parser<Input<'a>, (), ErrMode<ContextError>> {
    winnow::ascii::Caseless(word).void()
}

fn term(input: &mut Input<'_>) -> ModalResult<Filter> {
    alt((negation, group, comparison)).context(expected("an attribute name, \"not (\" or \"(\"")).parse_next(input)
}

fn negation(input: &mut Input<'_>) -> ModalResult<Filter> {
    (keyword("not"), multispace0, peek('(')).void().parse_next(input)?;
    nested(input, '(', ')').map(|inside| Filter::Not(Box::new(inside)))
}

fn group(input: &mut Input<'_>) -> ModalResult<Filter> {
    peek('(').parse_next(input)?;
    nested(input, '(', ')')
}

/// A filter in brackets, as in a value path.
pub(crate) fn bracketed(input: &mut Input<'_>) -> ModalResult<Filter> {
    peek('[').parse_next(input)?;
    nested(input, '[', ']')
}

fn nested(input: &mut Input<'_>, open: char, close: char) -> ModalResult<Filter> {
    let Some(depth) = input.state.depth.checked_sub(1) else {
        return too_much("nesting, which is too deep");
    };
    input.state.depth = depth;
    let inside = delimited(
        (open, multispace0),
        cut_err(or),
        (multispace0, cut_err(close).context(expected("a closing bracket"))),
    )
    .parse_next(input)?;
    input.state.depth += 1;
    Ok(inside)
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Filter> {
    let Some(terms) = input.state.terms.checked_sub(1) else {
        return too_much("number of comparisons, which is too great");
    };
    input.state.terms = terms;
    let path = attribute_path.parse_next(input)?;
    match opt(bracketed).parse_next(input)? {
        Some(inside) => value_path(input, path, inside),
        None => cut_err(move |input: &mut Input<'_>| operation(input, &path)).parse_next(input),
    }
}

/// Reads the text after the brackets of a value path. Entra ID compares the chosen values there: `emails[type
/// eq "work"].value eq "a@x"`. The comparison is moved into the brackets.
fn value_path(input: &mut Input<'_>, path: AttributePath, inside: Filter) -> ModalResult<Filter> {
    let part = opt(preceded('.', cut_err(attribute_path).verify(|part| part.urn.is_none() && part.sub.is_none())))
        .parse_next(input)?;
    let compared = if let Some(part) = part {
        Some(cut_err(move |input: &mut Input<'_>| operation(input, &part)).parse_next(input)?)
    } else {
        let value = AttributePath { urn: None, name: "value".to_owned(), sub: None };
        opt(move |input: &mut Input<'_>| operation(input, &value)).parse_next(input)?
    };
    let Some(compared) = compared else { return Ok(Filter::ValuePath(path, Box::new(inside))) };
    let Some(terms) = input.state.terms.checked_sub(1) else {
        return too_much("number of comparisons, which is too great");
    };
    input.state.terms = terms;
    Ok(Filter::ValuePath(path, Box::new(Filter::And(Box::new(inside), Box::new(compared)))))
}

fn operation(input: &mut Input<'_>, path: &AttributePath) -> ModalResult<Filter> {
    multispace1.context(expected("a space and an operator")).parse_next(input)?;
    let operator = alt((
        keyword("pr").value(None),
        keyword("eq").value(Some(Comparison::Eq)),
        keyword("ne").value(Some(Comparison::Ne)),
        keyword("co").value(Some(Comparison::Co)),
        keyword("sw").value(Some(Comparison::Sw)),
        keyword("ew").value(Some(Comparison::Ew)),
        keyword("gt").value(Some(Comparison::Gt)),
        keyword("ge").value(Some(Comparison::Ge)),
        alt((keyword("lt").value(Some(Comparison::Lt)), keyword("le").value(Some(Comparison::Le)))),
    ))
    .context(expected("one of eq ne co sw ew gt ge lt le pr"))
    .parse_next(input)?;
    let Some(operator) = operator else {
        return Ok(Filter::Present(path.clone()));
    };
    multispace1.context(expected("a space and a value")).parse_next(input)?;
    let value = literal.context(expected("a string in quotes, a number, true, false or null")).parse_next(input)?;
    Ok(Filter::Compare(path.clone(), operator, value))
}

/// `urn:…:User:name.givenName`: the URN ends at the last colon, and may contain dots.
pub(crate) fn attribute_path(input: &mut Input<'_>) -> ModalResult<AttributePath> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$');
    let text = (
        one_of(|c: char| c.is_ascii_alphabetic() || c == '$'),
        take_while(0.., move |c: char| is_name(c) || matches!(c, ':' | '.')),
    )
        .take()
        .parse_next(input)?;
    let urn = |text| match str::rsplit_once(text, ':') {
        Some((urn, local)) => (Some(urn), local),
        None => (None, text),
    };
    let (urn, local) = lenience::urn_before_a_dot(text).unwrap_or_else(|| urn(text));
    let (name, sub) = local.split_once('.').map_or((local, None), |(name, sub)| (name, Some(sub)));
    let well_formed = |part: &str| !part.is_empty() && part.chars().all(is_name);
    if !well_formed(name) || sub.is_some_and(|sub| !well_formed(sub)) {
        return too_much("attribute name, which has an empty or a third part");
    }
    Ok(AttributePath { urn: urn.map(str::to_owned), name: name.to_owned(), sub: sub.map(str::to_owned) })
}

fn literal(input: &mut Input<'_>) -> ModalResult<Value> {
    alt((string, word)).parse_next(input)
}

/// A literal without quotes: `true`, `false`, `null` or a number. Another spelling, such as `True` or `1e5`,
/// is read as a text, because its attribute may be a text. [`super::fit`] converts it if not.
fn word(input: &mut Input<'_>) -> ModalResult<Value> {
    let is_part = |c: char| !c.is_whitespace() && !matches!(c, '"' | '(' | ')' | '[' | ']');
    let read = |text: &str| {
        let null = text.eq_ignore_ascii_case("null").then_some(Value::Null);
        let is_spelled_so = |value: &Value| {
            let spelling = value.to_string();
            spelling == text
        };
        let literal =
            || lenience::boolean(text).map(Value::Bool).or_else(|| lenience::number(text)).filter(is_spelled_so);
        null.or_else(literal).or_else(|| lenience::unquoted(text))
    };
    take_while(1.., is_part).verify_map(read).parse_next(input)
}

fn string(input: &mut Input<'_>) -> ModalResult<Value> {
    let body = winnow::combinator::repeat::<_, _, (), _, _>(
        0..,
        alt((preceded('\\', any).void(), take_while(1.., |c| c != '"' && c != '\\').void())),
    );
    ('"', body, '"').take().verify_map(|text: &str| crate::json::parse(text.as_bytes()).ok()).parse_next(input)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
