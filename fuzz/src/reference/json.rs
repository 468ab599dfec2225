//! JSON, one character after the other. Numbers stay as they are spelled.

use super::number;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How many objects and arrays may be open: a limit of sopskit, which sops does not have.
const MAX_DEPTH: usize = 128;

impl Json {
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// The object that the bytes spell. `None` for all that section 10 of the page refuses.
pub fn parse(bytes: &[u8]) -> Option<Json> {
    let text: Vec<char> = std::str::from_utf8(bytes).ok()?.chars().collect();
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    (reader.at == reader.text.len() && matches!(value, Json::Object(_))).then_some(value)
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn space(&mut self) {
        while let Some(' ' | '\t' | '\n' | '\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        word.chars().try_for_each(|c| (self.next()? == c).then_some(()))
    }

    fn value(&mut self, open: usize) -> Option<Json> {
        self.space();
        match self.peek()? {
            '{' => self.object(open),
            '[' => self.array(open),
            '"' => self.string().map(Json::Text),
            't' => self.expect("true").map(|()| Json::Bool(true)),
            'f' => self.expect("false").map(|()| Json::Bool(false)),
            'n' => self.expect("null").map(|()| Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, open: usize) -> Option<Json> {
        self.expect("{")?;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.space();
        if open == MAX_DEPTH {
            return None;
        }
        if self.peek()? == '}' {
            self.at += 1;
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.expect(":")?;
            let value = self.value(open + 1)?;
            if members.iter().any(|(name, _)| *name == key) {
                return None;
            }
            members.push((key, value));
            self.space();
            match self.next()? {
                ',' => {}
                '}' => return Some(Json::Object(members)),
                _ => return None,
            }
        }
    }

    fn array(&mut self, open: usize) -> Option<Json> {
        self.expect("[")?;
        let mut items = Vec::new();
        self.space();
        if open == MAX_DEPTH {
            return None;
        }
        if self.peek()? == ']' {
            self.at += 1;
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(open + 1)?);
            self.space();
            match self.next()? {
                ',' => {}
                ']' => return Some(Json::Array(items)),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        while let Some('0'..='9' | '+' | '-' | '.' | 'e' | 'E') = self.peek() {
            self.at += 1;
        }
        let literal: String = self.text[start..self.at].iter().collect();
        // A number that cannot be kept is refused wherever it stands.
        number::canonical(&literal)?;
        Some(Json::Number(literal))
    }

    fn string(&mut self) -> Option<String> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut units = vec![self.unit()?];
                if (0xd800..0xdc00).contains(&units[0]) {
                    self.expect("\\u")?;
                    units.push(self.unit()?);
                }
                let mut characters = char::decode_utf16(units);
                let character = characters.next()?.ok()?;
                return characters.next().is_none().then_some(character);
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let digits: String = (0..4).map(|_| self.next()).collect::<Option<_>>()?;
        let is_hex = digits.chars().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(&digits, 16).ok()).flatten()
    }
}

/// The JSON of a value. `spelling` gives bits that choose between ways to spell the same.
pub fn write(value: &Json, spelling: &mut impl FnMut() -> u8) -> String {
    let mut text = String::new();
    put(&mut text, value, spelling);
    text
}

fn put(text: &mut String, value: &Json, spelling: &mut impl FnMut() -> u8) {
    let space = |text: &mut String, spelling: &mut dyn FnMut() -> u8| {
        text.push_str(["", "", "", " ", "\n\t", "\r\n"][usize::from(spelling() % 6)]);
    };
    match value {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(literal) => text.push_str(literal),
        Json::Text(string) => put_string(text, string, spelling),
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                space(text, spelling);
                put(text, item, spelling);
                space(text, spelling);
            }
            text.push(']');
        }
        Json::Object(members) => {
            text.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                space(text, spelling);
                put_string(text, key, spelling);
                space(text, spelling);
                text.push(':');
                space(text, spelling);
                put(text, item, spelling);
            }
            text.push('}');
        }
    }
}

fn put_string(text: &mut String, string: &str, spelling: &mut impl FnMut() -> u8) {
    text.push('"');
    // A few of a long string are enough.
    let escapes = if string.is_empty() { 0 } else { spelling() };
    for (index, c) in string.chars().enumerate() {
        let by_choice = escapes >= 0xf0 && index % 7 == usize::from(escapes & 7);
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            c if c < ' ' || by_choice => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04X}")));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
