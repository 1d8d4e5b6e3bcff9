//! Numbers: exact small integers, and binary floats of 512 bits behind them.
//!
//! The language's numbers round as Go's `big.Float` does at 512 bits (half to even) and print the
//! shortest decimal that reads back as the same number. Nearly all numbers in practice are small
//! integers, so those are an `i64` and never allocate. Numbers that came from a 64-bit float carry
//! that precision along, because it decides how many digits are printed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dashu_base::{Abs, BitTest, DivRem, UnsignedAbs};
use dashu_int::{IBig, UBig};

/// Bits of a number that was written or computed in the language.
const PRECISION: u16 = 512;
/// Decimal exponents beyond this are refused: printing such a number would fill memory.
const EXPONENT_MAX: i64 = 100_000;

/// An immutable number; clones are O(1).
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Int(i64),
    Big(Arc<Big>),
    /// What dividing by zero gives; `true` is the negative one.
    Infinite(bool),
}

/// `mant * 2^exp`; `mant` is odd, or zero for negative zero.
struct Big {
    neg: bool,
    mant: UBig,
    exp: i64,
    prec: u16,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number(Repr::Int(0));
    /// One.
    pub const ONE: Number = Number(Repr::Int(1));

    /// Reads a decimal number as the language does: sign, digits, fraction, exponent.
    pub fn parse(text: &str) -> Option<Number> {
        let (neg, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if matches!(digits, "Inf" | "inf") {
            return Some(Number(Repr::Infinite(neg)));
        }
        let (mantissa, exp10) = match digits.find(['e', 'E']) {
            Some(at) => {
                let exp = &digits[at + 1..];
                let unsigned = exp.strip_prefix(['+', '-']).unwrap_or(exp);
                if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                (&digits[..at], exp.parse::<i64>().ok()?)
            }
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0
            || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        if fraction.is_empty() && exp10 == 0 && whole.len() <= 18 {
            let int: i64 = whole.parse().ok()?;
            if !(neg && int == 0) {
                return Some(Number(Repr::Int(if neg { -int } else { int })));
            }
        }
        let fraction = fraction.trim_end_matches('0');
        let all = [whole, fraction].concat();
        let mant = UBig::from_str_radix(&all, 10).ok()?;
        if mant == UBig::ZERO {
            return Some(rounded(neg, mant, 0, PRECISION, false));
        }
        let exp10 = exp10.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if exp10.abs() > EXPONENT_MAX {
            return None;
        }
        let power = UBig::from(5u8).pow(exp10.unsigned_abs() as usize);
        if exp10 >= 0 {
            return Some(rounded(neg, mant * power, exp10, PRECISION, false));
        }
        Some(divided(neg, mant, power, exp10, PRECISION))
    }

    /// The number nearest to a 64-bit float, which it then prints like; none for NaN.
    pub fn from_f64(value: f64) -> Option<Number> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Number(Repr::Infinite(value < 0.0)));
        }
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let (mant, exp) = match (bits >> 52) & 0x7ff {
            0 => (fraction, -1074),
            biased => (fraction | (1 << 52), biased as i64 - 1075),
        };
        Some(rounded(value.is_sign_negative(), UBig::from(mant), exp, 53, false))
    }

    /// The nearest 64-bit float (infinite when out of its range).
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(int) => *int as f64,
            Repr::Infinite(neg) => {
                if *neg {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            Repr::Big(_) => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// The number as `i64`, if it is exactly one.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Int(int) => Some(*int),
            Repr::Big(big) if big.exp >= 0 && big.mant.bit_len() as i64 + big.exp <= 64 => {
                i64::try_from(self.to_ibig()?).ok()
            }
            Repr::Big(_) | Repr::Infinite(_) => None,
        }
    }

    /// The number as `u64`, if it is exactly one.
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Int(int) => u64::try_from(*int).ok(),
            Repr::Big(_) | Repr::Infinite(_) => u64::try_from(self.to_ibig()?).ok(),
        }
    }

    /// The number as `usize`, if it is exactly one.
    pub fn to_usize(&self) -> Option<usize> {
        self.to_u64().and_then(|int| usize::try_from(int).ok())
    }

    /// Whether the number has no fraction.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Int(_) => true,
            Repr::Big(big) => big.exp >= 0,
            Repr::Infinite(_) => false,
        }
    }

    /// Whether the number is zero (of either sign).
    pub fn is_zero(&self) -> bool {
        self.to_i64() == Some(0)
    }

    /// Whether the number is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinite(_))
    }

    /// Whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Int(int) => *int < 0,
            Repr::Big(big) => big.neg && big.mant != UBig::ZERO,
            Repr::Infinite(neg) => *neg,
        }
    }

    /// Sum. (Of opposite infinities, which have none, the first.)
    pub fn add(&self, other: &Number) -> Number {
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0)
            && let Some(sum) = a.checked_add(*b)
        {
            return Number(Repr::Int(sum));
        }
        if self.is_infinite() {
            return self.clone();
        }
        if other.is_infinite() {
            return other.clone();
        }
        let (a, b) = (self.parts(), other.parts());
        let prec = a.prec.max(b.prec);
        if b.mant == UBig::ZERO {
            return if a.mant == UBig::ZERO && !(a.neg && b.neg) {
                Number::ZERO
            } else {
                self.clone()
            };
        }
        if a.mant == UBig::ZERO {
            return other.clone();
        }
        let exp = a.exp.min(b.exp);
        let signed = |p: &Big| {
            let mant = IBig::from(&p.mant << (p.exp - exp) as usize);
            if p.neg { -mant } else { mant }
        };
        let sum = signed(&a) + signed(&b);
        rounded(sum < IBig::ZERO, sum.unsigned_abs(), exp, prec, false)
    }

    /// Difference.
    pub fn sub(&self, other: &Number) -> Number {
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0)
            && let Some(difference) = a.checked_sub(*b)
        {
            return Number(Repr::Int(difference));
        }
        self.add(&other.neg())
    }

    /// Product.
    pub fn mul(&self, other: &Number) -> Number {
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
            && product != 0
        {
            return Number(Repr::Int(product));
        }
        if self.is_infinite() || other.is_infinite() {
            return Number(Repr::Infinite(self.is_signed() != other.is_signed()));
        }
        let (a, b) = (self.parts(), other.parts());
        rounded(a.neg != b.neg, &a.mant * &b.mant, a.exp + b.exp, a.prec.max(b.prec), false)
    }

    /// Quotient: an infinity when the divisor is zero; none for 0/0 and for two infinities.
    pub fn div(&self, other: &Number) -> Option<Number> {
        if (self.is_zero() && other.is_zero()) || (self.is_infinite() && other.is_infinite()) {
            return None;
        }
        if self.is_infinite() || other.is_zero() {
            return Some(Number(Repr::Infinite(self.is_signed() != other.is_signed())));
        }
        if other.is_infinite() {
            return Some(Number::ZERO);
        }
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0)
            && *a != 0
            && a.checked_rem(*b) == Some(0)
            && let Some(quotient) = a.checked_div(*b)
        {
            return Some(Number(Repr::Int(quotient)));
        }
        let (a, b) = (self.parts(), other.parts());
        let prec = a.prec.max(b.prec);
        Some(divided(a.neg != b.neg, a.mant.clone(), b.mant.clone(), a.exp - b.exp, prec))
    }

    /// Remainder with the sign of the dividend; none when the divisor is zero or the dividend infinite.
    pub fn rem(&self, other: &Number) -> Option<Number> {
        if other.is_zero() || self.is_infinite() {
            return None;
        }
        if other.is_infinite() {
            return Some(self.clone());
        }
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0) {
            return Some(Number(Repr::Int(a.checked_rem(*b).unwrap_or(0))));
        }
        let quotient = self.div(other)?.trunc();
        Some(self.sub(&other.mul(&quotient)))
    }

    /// Negation; of zero it is negative zero, which prints as `-0`.
    pub fn neg(&self) -> Number {
        if let Repr::Int(int) = &self.0
            && *int != 0
            && let Some(negated) = int.checked_neg()
        {
            return Number(Repr::Int(negated));
        }
        if let Repr::Infinite(neg) = self.0 {
            return Number(Repr::Infinite(!neg));
        }
        let p = self.parts();
        rounded(!p.neg, p.mant, p.exp, p.prec, false)
    }

    /// Absolute value.
    pub fn abs(&self) -> Number {
        match &self.0 {
            Repr::Int(int) if *int >= 0 => self.clone(),
            Repr::Big(big) if !big.neg => self.clone(),
            Repr::Infinite(false) => self.clone(),
            _ => self.neg(),
        }
    }

    /// The nearest integer towards zero.
    pub fn trunc(&self) -> Number {
        match &self.0 {
            Repr::Big(big) if big.exp < 0 => {
                let mant = &big.mant >> (-big.exp) as usize;
                if mant == UBig::ZERO {
                    return Number::ZERO;
                }
                rounded(big.neg, mant, 0, big.prec, false)
            }
            _ => self.clone(),
        }
    }

    /// The greatest integer that is not greater.
    pub fn floor(&self) -> Number {
        let whole = self.trunc();
        if self.is_negative() && !self.is_integer() && !self.is_infinite() {
            whole.sub(&Number::ONE)
        } else {
            whole
        }
    }

    /// The least integer that is not less.
    pub fn ceil(&self) -> Number {
        let whole = self.trunc();
        if !self.is_negative() && !self.is_integer() && !self.is_infinite() {
            whole.add(&Number::ONE)
        } else {
            whole
        }
    }

    /// Power, computed in 64-bit floats; none when there is none.
    pub fn pow(&self, exponent: &Number) -> Option<Number> {
        Number::from_f64(self.to_f64().powf(exponent.to_f64()))
    }

    /// Reads an integer in a base of 2 to 62 (above 36, upper case follows lower case).
    pub fn parse_int(text: &str, base: u32) -> Option<Number> {
        assert!((2..=62).contains(&base), "base out of range");
        let (neg, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if digits.is_empty() {
            return None;
        }
        let mut int = UBig::ZERO;
        for byte in digits.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
                b'A'..=b'Z' => byte - b'A' + 36,
                _ => return None,
            };
            if u32::from(digit) >= base {
                return None;
            }
            int = int * base + UBig::from(digit);
        }
        if neg && int == UBig::ZERO {
            return Some(Number::ZERO);
        }
        let prec = u16::try_from(int.bit_len()).unwrap_or(u16::MAX).max(PRECISION);
        Some(rounded(neg, int, 0, prec, false))
    }

    /// The integer, if it is one, in lower-case digits of a base up to 36.
    pub fn to_radix(&self, base: u8) -> Option<String> {
        Some(self.to_ibig()?.in_radix(base).to_string())
    }

    /// The number with exactly `places` digits after the point, rounded half to even.
    pub fn to_fixed(&self, places: usize) -> String {
        if self.is_infinite() {
            return self.to_string();
        }
        let p = self.parts();
        let sign = if p.neg { "-" } else { "" };
        let scaled = &p.mant * UBig::from(10u8).pow(places);
        let int = if p.exp >= 0 {
            scaled << p.exp as usize
        } else {
            let shift = (-p.exp) as usize;
            let (low, high) = (scaled.clone().split_bits(shift).0, scaled >> shift);
            match low.cmp(&(UBig::ONE << (shift - 1))) {
                Ordering::Less => high,
                Ordering::Equal if !high.bit(0) => high,
                _ => high + UBig::ONE,
            }
        };
        let digits = format!("{int:0>width$}", width = places + 1, int = int.to_string());
        let (whole, fraction) = digits.split_at(digits.len() - places);
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Sign, and shortest digits `d` and exponent `e` such that the magnitude is `0.d * 10^e`; the
    /// number must be finite.
    pub fn shortest_digits(&self) -> (bool, String, i64) {
        assert!(!self.is_infinite(), "infinities have no digits");
        let p = self.parts();
        let (digits, point) = shortest(&p);
        (p.neg, digits, point)
    }

    /// Sign, and all digits `d` and the exponent `e` such that the magnitude is exactly `0.d * 10^e`;
    /// the number must be finite.
    pub fn exact_digits(&self) -> (bool, String, i64) {
        assert!(!self.is_infinite(), "infinities have no digits");
        let p = self.parts();
        if p.mant == UBig::ZERO {
            return (p.neg, "0".into(), 1);
        }
        let (digits, point) = decimal(&p.mant, p.exp);
        (p.neg, String::from_utf8_lossy(&digits).into_owned(), point)
    }

    fn to_ibig(&self) -> Option<IBig> {
        match &self.0 {
            Repr::Int(int) => Some(IBig::from(*int)),
            Repr::Big(big) if big.exp >= 0 => {
                let mant = IBig::from(&big.mant << big.exp as usize);
                Some(if big.neg { -mant } else { mant })
            }
            Repr::Big(_) | Repr::Infinite(_) => None,
        }
    }

    /// Whether it has a minus sign; negative zero does.
    fn is_signed(&self) -> bool {
        match &self.0 {
            Repr::Int(int) => *int < 0,
            Repr::Big(big) => big.neg,
            Repr::Infinite(neg) => *neg,
        }
    }

    fn parts(&self) -> Big {
        match &self.0 {
            Repr::Int(int) => {
                Big { neg: *int < 0, mant: UBig::from(int.unsigned_abs()), exp: 0, prec: PRECISION }
            }
            Repr::Big(big) => {
                Big { neg: big.neg, mant: big.mant.clone(), exp: big.exp, prec: big.prec }
            }
            Repr::Infinite(_) => unreachable!("callers deal with infinities before"),
        }
    }
}

/// Rounds `mant * 2^exp` (plus a little, if `sticky`) to `prec` bits and normalizes it.
fn rounded(neg: bool, mut mant: UBig, mut exp: i64, prec: u16, sticky: bool) -> Number {
    let excess = mant.bit_len().saturating_sub(usize::from(prec));
    if excess > 0 {
        let half = mant.bit(excess - 1);
        let below = sticky || mant.trailing_zeros().is_some_and(|zeros| zeros < excess - 1);
        mant >>= excess;
        exp += excess as i64;
        if half && (below || mant.bit(0)) {
            mant += UBig::ONE;
        }
    }
    if let Some(zeros) = mant.trailing_zeros() {
        mant >>= zeros;
        exp += zeros as i64;
    } else {
        exp = 0;
    }
    // Above its precision an integer does not print all its digits, so it is no `Int`.
    let bits_max = i64::from(prec.min(63));
    if exp >= 0 && mant.bit_len() as i64 + exp <= bits_max && !(neg && mant == UBig::ZERO) {
        let int = i64::try_from(mant << exp as usize).expect("63 bits fit");
        return Number(Repr::Int(if neg { -int } else { int }));
    }
    Number(Repr::Big(Arc::new(Big { neg, mant, exp, prec })))
}

/// `a / b * 2^exp`, rounded once.
fn divided(neg: bool, a: UBig, b: UBig, exp: i64, prec: u16) -> Number {
    let want = usize::from(prec) + 2 + b.bit_len();
    let shift = want.saturating_sub(a.bit_len());
    let (quotient, remainder) = (a << shift).div_rem(b);
    // One more bit than the quotient has, so that the remainder is never mistaken for a tie.
    let sticky = remainder != UBig::ZERO;
    let mant = (quotient << 1usize) + if sticky { UBig::ONE } else { UBig::ZERO };
    rounded(neg, mant, exp - shift as i64 - 1, prec, sticky)
}

/// Digits (no leading or trailing zeros) and the place of the point of `mant * 2^exp`, exactly.
fn decimal(mant: &UBig, exp: i64) -> (Vec<u8>, i64) {
    let (text, places) = if exp >= 0 {
        ((mant << exp as usize).to_string(), 0)
    } else {
        ((mant * UBig::from(5u8).pow((-exp) as usize)).to_string(), -exp)
    };
    let mut digits = text.into_bytes();
    let point = digits.len() as i64 - places;
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    (digits, point)
}

/// The shortest digits that round to the number, nearest to it among equally short ones.
fn shortest(p: &Big) -> (String, i64) {
    if p.mant == UBig::ZERO {
        return ("0".into(), 1);
    }
    let bits = p.mant.bit_len();
    let prec = usize::from(p.prec);
    let (value, point) = decimal(&p.mant, p.exp);
    let text = |digits: &[u8]| String::from_utf8_lossy(digits).into_owned();
    if p.exp >= 0 && bits as i64 + p.exp <= prec as i64 {
        return (text(&value), point); // an integer within the precision has no shorter name
    }
    // The neighbours' midpoints: every decimal between them reads back as this number.
    let pad = prec.saturating_sub(bits);
    let (m, e) = (&p.mant << pad, p.exp - pad as i64);
    let inclusive = !m.bit(0);
    let power_of_two = p.mant == UBig::ONE;
    let (lower, lower_point) = if power_of_two {
        decimal(&((&m << 2usize) - UBig::ONE), e - 2)
    } else {
        decimal(&((&m << 1usize) - UBig::ONE), e - 1)
    };
    let (upper, upper_point) = decimal(&((&m << 1usize) + UBig::ONE), e - 1);
    // All three are written against the point of the upper one, which has the most whole digits.
    let digit = |digits: &[u8], at_point: i64, i: i64| -> u8 {
        let index = i - (upper_point - at_point);
        usize::try_from(index).ok().and_then(|i| digits.get(i).copied()).unwrap_or(b'0')
    };
    let value_len = value.len() as i64 + (upper_point - point);
    let lower_len = lower.len() as i64 + (upper_point - lower_point);
    let (mut above_lower, mut room_above) = (false, 0u8); // room: 0 none yet, 1 a gap of one, 2 wide
    let mut out: Vec<u8> = Vec::new();
    for i in 0..value_len {
        let (l, v, u) =
            (digit(&lower, lower_point, i), digit(&value, point, i), digit(&upper, upper_point, i));
        out.push(v);
        above_lower |= l != v;
        room_above = match room_above {
            0 if u == v => 0,
            0 if u > v + 1 => 2,
            0 => 1,
            1 if v == b'9' && u == b'0' => 1,
            _ => 2,
        };
        let last = i + 1;
        let ok_down = above_lower || (inclusive && last == lower_len);
        let ok_up = room_above > 0 && (inclusive || room_above > 1 || last < upper.len() as i64);
        if !ok_down && !ok_up {
            continue;
        }
        let up = match (ok_down, ok_up) {
            (true, true) => match digit(&value, point, last).cmp(&b'5') {
                Ordering::Less => false,
                Ordering::Greater => true,
                Ordering::Equal => last + 1 < value_len || (v - b'0') % 2 == 1,
            },
            (_, up) => up,
        };
        let mut point = upper_point;
        if up {
            while out.last() == Some(&b'9') {
                out.pop();
            }
            match out.last_mut() {
                Some(digit) => *digit += 1,
                None => {
                    out.push(b'1');
                    point += 1;
                }
            }
        }
        return trimmed(out, point);
    }
    trimmed(out, upper_point)
}

fn trimmed(digits: Vec<u8>, mut point: i64) -> (String, i64) {
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    point -= zeros as i64;
    let text = String::from_utf8_lossy(&digits[zeros..]).into_owned();
    (text.trim_end_matches('0').to_owned(), point)
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let big = match &self.0 {
            Repr::Int(int) => return write!(f, "{int}"),
            Repr::Big(big) => big,
            Repr::Infinite(neg) => return f.write_str(if *neg { "-Inf" } else { "+Inf" }),
        };
        if big.neg {
            f.write_str("-")?;
        }
        let (digits, point) = shortest(big);
        let len = digits.len() as i64;
        if point <= 0 {
            write!(f, "0.{:0<zeros$}{digits}", "", zeros = (-point) as usize)
        } else if point >= len {
            write!(f, "{digits}{:0<zeros$}", "", zeros = (point - len) as usize)
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            write!(f, "{whole}.{fraction}")
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0) {
            return a.cmp(b);
        }
        let infinity = |n: &Number| match n.0 {
            Repr::Infinite(true) => -1,
            Repr::Infinite(false) => 1,
            _ => 0,
        };
        if self.is_infinite() || other.is_infinite() {
            return infinity(self).cmp(&infinity(other));
        }
        let (a, b) = (self.parts(), other.parts());
        let sign = |p: &Big| match (p.mant == UBig::ZERO, p.neg) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(&a).cmp(&sign(&b)).then_with(|| {
            let top = |p: &Big| p.mant.bit_len() as i64 + p.exp;
            let magnitude = top(&a).cmp(&top(&b)).then_with(|| {
                let exp = a.exp.min(b.exp);
                (&a.mant << (a.exp - exp) as usize).cmp(&(&b.mant << (b.exp - exp) as usize))
            });
            if a.neg { magnitude.reverse() } else { magnitude }
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal numbers hash alike, however they are held.
        match (&self.0, self.to_i64()) {
            (_, Some(int)) => int.hash(state),
            (Repr::Big(big), None) => (big.neg, &big.mant, big.exp).hash(state),
            (Repr::Infinite(neg), None) => neg.hash(state),
            (Repr::Int(_), None) => unreachable!("every `Int` is an `i64`"),
        }
    }
}

macro_rules! from_int {
    ($($int:ty)*) => {$(
        impl From<$int> for Number {
            fn from(int: $int) -> Number {
                match i64::try_from(int) {
                    Ok(int) => Number(Repr::Int(int)),
                    Err(_) => {
                        let int = IBig::from(int);
                        rounded(int < IBig::ZERO, int.abs().unsigned_abs(), 0, PRECISION, false)
                    }
                }
            }
        }
    )*};
}
from_int!(u8 u16 u32 u64 i8 i16 i32 i64 usize isize);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn prints_what_was_written() {
        let long = format!("1{}", "0".repeat(400));
        for (text, want) in [
            ("007", "7"),
            ("-0", "-0"),
            ("1e400", long.as_str()),
            ("0.1", "0.1"),
            ("-12.50", "-12.5"),
            ("1e-7", "0.0000001"),
            ("3.0000000000000000000000000001", "3.0000000000000000000000000001"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+5", "5"),
        ] {
            assert_eq!(n(text).to_string(), want, "{text}");
        }
        for bad in
            ["", "-", "0x1F", "1_000", "1e", "1e+", "e5", ".", " 1", "1 ", "1e999999999999", "NaN"]
        {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn arithmetic() {
        let third = "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333335";
        assert_eq!(n("1").div(&n("3")).unwrap().to_string(), third);
        assert_eq!(
            n("1.1").mul(&n("1.1")).to_string(),
            "1.2100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001"
        );
        assert_eq!(n("0.1").add(&n("0.2")).to_string(), "0.3");
        assert_eq!(n("-10").rem(&n("3")).unwrap(), n("-1"));
        assert_eq!(n("10").rem(&n("-3")).unwrap(), n("1"));
        assert_eq!(n("5.5").rem(&n("2")).unwrap(), n("1.5"));
        assert_eq!(n("0").div(&n("5")).unwrap(), n("0"));
        assert_eq!(n("-1").div(&n("0")).unwrap().to_string(), "-Inf");
        assert!(n("0").div(&n("0")).is_none() && n("1").rem(&n("0")).is_none());
        assert_eq!(n("9").div(&n("Inf")).unwrap(), n("0"));
        assert_eq!(n("9223372036854775807").add(&n("1")).to_string(), "9223372036854775808");
        assert_eq!(n("-5.1").floor().to_string(), "-6");
        assert_eq!(n("-5.1").ceil().to_string(), "-5");
        assert_eq!(n("5.1").ceil().to_string(), "6");
        assert_eq!(n("0").neg().to_string(), "-0");
        assert_eq!(n("2").pow(&n("0.5")).unwrap().to_string(), "1.4142135623730951");
        assert_eq!(n("1e20").to_u64(), None);
        assert_eq!(n("18446744073709551615").to_u64(), Some(u64::MAX));
        assert_eq!(Number::parse_int("zZ", 62).unwrap().to_string(), "2231");
        assert_eq!(n("2.5").to_fixed(0), "2");
        assert_eq!(n("3.14159").to_fixed(2), "3.14");
        assert_eq!(n("-1").to_fixed(1), "-1.0");
    }

    proptest! {
        #[test]
        fn floats_print_as_rust_prints_them(x in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            let number = Number::from_f64(x).unwrap();
            // Of two shortest names equally near, Rust may choose the other one.
            let (ours, theirs) = (number.to_string(), x.to_string());
            prop_assert_eq!(ours.len(), theirs.len(), "{} {}", ours, theirs);
            prop_assert_eq!(ours.parse::<f64>().unwrap(), x);
            prop_assert_eq!(number.to_f64(), x);
        }

        #[test]
        fn printed_numbers_read_back(a in -1000i64..1000, b in 1i64..1000, e in -40i64..40) {
            let number = Number::from(a).div(&Number::from(b)).unwrap().mul(&n(&format!("1e{e}")));
            prop_assert_eq!(Number::parse(&number.to_string()).unwrap(), number);
        }

        #[test]
        fn order_agrees_with_floats(a in -1e6f64..1e6, b in -1e6f64..1e6) {
            let (x, y) = (Number::from_f64(a).unwrap(), Number::from_f64(b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(x.sub(&y).is_negative(), a < b);
        }

        #[test]
        fn decimals_survive(m in -10_000_000_000i64..10_000_000_000, e in -30i32..5) {
            let text = format!("{m}e{e}");
            let number = n(&text);
            let printed = number.to_string();
            let f: f64 = text.parse().unwrap();
            prop_assert_eq!(printed.parse::<f64>().unwrap(), f);
            prop_assert!(printed.len() <= 50);
        }
    }
}
