//! What matching a Lua pattern would cost, before Lua does it.
//!
//! Lua's matcher is C code that no hook interrupts, and a pattern can make it try more ways than there
//! are seconds. This walks the same ways and counts; whoever is over the budget is refused. It decides
//! nothing else: what matches is for Lua to say.

/// As deep as Lua's own matcher goes.
const DEEPEST: u32 = 200;
/// As many captures as Lua has.
const CAPTURES: usize = 32;

/// What ended the walk before its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// More steps than the budget.
    Steps,
    /// The pattern is wrong; Lua says how.
    Malformed,
}

/// How a function of Lua looks for a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    /// From this byte on.
    pub(super) from: usize,
    /// For all matches; for the first one otherwise.
    pub(super) all: bool,
    /// Whether `^` at the front ties the pattern to the first place.
    pub(super) anchors: bool,
}

/// Returns the steps that it takes to find `pattern` in `subject`.
///
/// # Errors
/// [`Halt::Steps`] when it takes more than `budget`.
pub(super) fn cost(subject: &[u8], pattern: &[u8], ways: Ways, budget: u64) -> Result<u64, Halt> {
    let (anchored, pattern) = match pattern.strip_prefix(b"^").filter(|_| ways.anchors) {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut walk = Walk { s: subject, p: pattern, left: budget, captures: Vec::new(), depth: 0 };
    let mut at = ways.from.min(subject.len());
    loop {
        walk.captures.clear();
        walk.depth = 0;
        let end = walk.matches(at, 0)?;
        if anchored || (end.is_some() && !ways.all) {
            break;
        }
        at = end.filter(|end| *end > at).unwrap_or(at + 1);
        if at > subject.len() {
            break;
        }
    }
    Ok(budget - walk.left)
}

struct Walk<'a> {
    s: &'a [u8],
    p: &'a [u8],
    left: u64,
    /// Start and, once it is closed, end.
    captures: Vec<(usize, Option<usize>)>,
    depth: u32,
}

type Found = Result<Option<usize>, Halt>;

impl Walk<'_> {
    fn pay(&mut self, steps: usize) -> Result<(), Halt> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(steps).ok_or(Halt::Steps)?;
        Ok(())
    }

    fn matches(&mut self, s: usize, p: usize) -> Found {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Halt::Malformed);
        }
        let found = self.steps(s, p);
        self.depth -= 1;
        found
    }

    fn steps(&mut self, mut s: usize, mut p: usize) -> Found {
        loop {
            self.pay(1)?;
            let Some(&c) = self.p.get(p) else { return Ok(Some(s)) };
            match (c, self.p.get(p + 1).copied()) {
                (b'(', next) => {
                    return self.open(s, if next == Some(b')') { p + 2 } else { p + 1 });
                }
                (b')', _) => return self.close(s, p + 1),
                (b'$', None) => return Ok((s == self.s.len()).then_some(s)),
                (b'%', Some(b'b')) => match self.balance(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    let set = p + 2;
                    if self.p.get(set) != Some(&b'[') {
                        return Err(Halt::Malformed);
                    }
                    let end = self.class_end(set)?;
                    let before = if s == 0 { 0 } else { self.s[s - 1] };
                    let after = self.s.get(s).copied().unwrap_or(0);
                    self.pay(end - set)?;
                    if self.in_set(before, set, end - 1) || !self.in_set(after, set, end - 1) {
                        return Ok(None);
                    }
                    p = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.again(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    match self.p.get(end) {
                        Some(b'?') => {
                            if self.single(s, p, end)?
                                && let Some(found) = self.matches(s + 1, end + 1)?
                            {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        Some(b'+') if !self.single(s, p, end)? => return Ok(None),
                        Some(b'+') => return self.most(s + 1, p, end),
                        Some(b'*') => return self.most(s, p, end),
                        Some(b'-') => return self.least(s, p, end),
                        _ if !self.single(s, p, end)? => return Ok(None),
                        _ => (s, p) = (s + 1, end),
                    }
                }
            }
        }
    }

    fn most(&mut self, s: usize, p: usize, end: usize) -> Found {
        let mut many = 0;
        while self.single(s + many, p, end)? {
            many += 1;
        }
        loop {
            if let Some(found) = self.matches(s + many, end + 1)? {
                return Ok(Some(found));
            }
            if many == 0 {
                return Ok(None);
            }
            many -= 1;
        }
    }

    fn least(&mut self, mut s: usize, p: usize, end: usize) -> Found {
        loop {
            if let Some(found) = self.matches(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.single(s, p, end)? {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize) -> Found {
        if self.captures.len() >= CAPTURES {
            return Err(Halt::Malformed);
        }
        // `()` is closed as it opens: an empty capture.
        let closed = (self.p[p - 1] == b')').then_some(s);
        self.captures.push((s, closed));
        let found = self.matches(s, p)?;
        if found.is_none() {
            self.captures.pop();
        }
        Ok(found)
    }

    fn close(&mut self, s: usize, p: usize) -> Found {
        let Some(open) = self.captures.iter().rposition(|c| c.1.is_none()) else {
            return Err(Halt::Malformed);
        };
        self.captures[open].1 = Some(s);
        let found = self.matches(s, p)?;
        if found.is_none() {
            self.captures[open].1 = None;
        }
        Ok(found)
    }

    fn again(&mut self, s: usize, digit: u8) -> Found {
        let place = usize::from(digit).checked_sub(usize::from(b'1')).ok_or(Halt::Malformed)?;
        let Some(&(start, Some(end))) = self.captures.get(place) else {
            return Err(Halt::Malformed);
        };
        self.pay(end - start)?;
        let held = &self.s[start..end];
        Ok(self.s[s..].starts_with(held).then_some(s + held.len()))
    }

    fn balance(&mut self, s: usize, p: usize) -> Found {
        let (Some(&open), Some(&close)) = (self.p.get(p), self.p.get(p + 1)) else {
            return Err(Halt::Malformed);
        };
        if self.s.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for at in s + 1..self.s.len() {
            self.pay(1)?;
            let c = self.s[at];
            if c == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            } else if c == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// The place behind the single class that begins at `p`.
    fn class_end(&self, p: usize) -> Result<usize, Halt> {
        let mut at = p + 1;
        match self.p.get(p) {
            None => Err(Halt::Malformed),
            Some(b'%') if at >= self.p.len() => Err(Halt::Malformed),
            Some(b'%') => Ok(at + 1),
            Some(b'[') => {
                at += usize::from(self.p.get(at) == Some(&b'^'));
                // A bracket at the very start stands for itself.
                loop {
                    let c = *self.p.get(at).ok_or(Halt::Malformed)?;
                    at += if c == b'%' { 2 } else { 1 };
                    if self.p.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            Some(_) => Ok(at),
        }
    }

    fn single(&mut self, s: usize, p: usize, end: usize) -> Result<bool, Halt> {
        // A long set costs as much as it has members.
        self.pay(end - p)?;
        let Some(&c) = self.s.get(s) else { return Ok(false) };
        Ok(match self.p[p] {
            b'.' => true,
            b'%' => is_class(c, self.p[p + 1]),
            b'[' => self.in_set(c, p, end - 1),
            own => own == c,
        })
    }

    /// Whether `c` is in the set whose `[` stands at `p` and whose `]` at `last`.
    fn in_set(&self, c: u8, p: usize, last: usize) -> bool {
        let turned = self.p.get(p + 1) == Some(&b'^');
        let mut at = p + 1 + usize::from(turned);
        while at < last {
            let own = self.p[at];
            if own == b'%' {
                if is_class(c, self.p[at + 1]) {
                    return !turned;
                }
                at += 2;
            } else if self.p[at + 1] == b'-' && at + 2 < last {
                if (own..=self.p[at + 2]).contains(&c) {
                    return !turned;
                }
                at += 3;
            } else {
                if own == c {
                    return !turned;
                }
                at += 1;
            }
        }
        turned
    }
}

fn is_class(c: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => c.is_ascii_alphabetic(),
        b'c' => c.is_ascii_control(),
        b'd' => c.is_ascii_digit(),
        b'g' => c.is_ascii_graphic(),
        b'l' => c.is_ascii_lowercase(),
        b'p' => c.is_ascii_punctuation(),
        b's' => c.is_ascii_whitespace() || c == 0x0b,
        b'u' => c.is_ascii_uppercase(),
        b'w' => c.is_ascii_alphanumeric(),
        b'x' => c.is_ascii_hexdigit(),
        _ => return class == c,
    };
    is != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_patterns_cost_little_and_bad_ones_are_stopped() {
        let first = Ways { from: 0, all: false, anchors: true };
        let every = Ways { all: true, ..first };
        for (subject, pattern) in [
            ("light.kitchen", "^(%w+)%.(.+)$"),
            ("  a = b  ", "^%s*(.-)%s*=%s*(.-)%s*$"),
            ("f(a(b)c)d", "%b()"),
            ("THE (quick) fox", "%f[%a]%a+%f[%A]"),
            ("abcabc", "(abc)%1"),
            ("a]b", "[]x]"),
            ("x-y", "[%w-]+"),
        ] {
            let steps = cost(subject.as_bytes(), pattern.as_bytes(), every, 10_000);
            assert!(matches!(steps, Ok(1..5000)), "{pattern}: {steps:?}");
        }
        let long = "a".repeat(200);
        let bad = format!("{}b", "a-".repeat(20));
        assert_eq!(cost(long.as_bytes(), bad.as_bytes(), first, 1_000_000), Err(Halt::Steps));
        assert_eq!(cost(b"x", b"[a", first, 1000), Err(Halt::Malformed));
        assert_eq!(cost(b"x", b"%", first, 1000), Err(Halt::Malformed));
    }
}
