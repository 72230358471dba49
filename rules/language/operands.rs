//! Fields, transformers and strings.

use super::{
    Argument, Expected, FieldRef, Operand, Right, SyntaxError, Transform, Transformer, Value, grammar::Parser, quoted,
};

impl Parser<'_> {
    /// A field or a transformer, if one stands here.
    pub fn left(&mut self) -> Result<Option<Operand>, SyntaxError> {
        let start = self.cursor.at();
        // No field has a transformer's name and a parenthesis behind it.
        if let Some(transformer) = self.transformer() {
            return Ok(Some(Operand::Transform(self.transform(transformer, start)?)));
        }
        match self.field_name() {
            Some(name) => Ok(Some(Operand::Field(self.field(name, start)?))),
            None => Ok(None),
        }
    }

    /// What a right side may be besides text: `val(field)` or a transformer.
    pub fn right_operand(&mut self) -> Result<Option<Right>, SyntaxError> {
        self.enter()?;
        let val = self.cursor.at();
        if self.cursor.token("val(") {
            self.cursor.blanks();
            let start = self.cursor.at();
            let Some(name) = self.field_name() else { return Err(self.expected(Expected::FieldInVal)) };
            let field = self.field(name, start)?;
            self.close_transformer()?;
            return self.leave(Some(Right::Field(field, self.cursor.span_from(val))));
        }
        match self.transformer() {
            Some(transformer) => {
                let transform = self.transform(transformer, val)?;
                self.leave(Some(Right::Transform(transform)))
            }
            None => self.leave(None),
        }
    }

    /// A transformer's name with its parenthesis.
    pub fn transformer(&mut self) -> Option<Transformer> {
        let start = self.cursor.at();
        let transformer = self.cursor.identifier().and_then(Transformer::from_word);
        let found = transformer.filter(|_| self.cursor.token("("));
        if found.is_none() {
            self.cursor.reset(start);
        }
        found
    }

    fn field(&mut self, name: &str, start: usize) -> Result<FieldRef, SyntaxError> {
        let argument = self.argument()?;
        Ok(FieldRef { name: name.to_owned(), argument, span: self.cursor.span_from(start) })
    }

    /// `[argument]`, if it stands here.
    fn argument(&mut self) -> Result<Option<String>, SyntaxError> {
        if !self.cursor.token("[") {
            return Ok(None);
        }
        let argument = match self.quoted()? {
            Some(quoted) => String::from_utf8_lossy(&quoted.text).into_owned(),
            None => match self.cursor.bare_argument() {
                Some(bare) => bare.to_owned(),
                None => return Err(self.expected(Expected::FieldArgument)),
            },
        };
        if self.cursor.token("]") { Ok(Some(argument)) } else { Err(self.expected(Expected::CloseArgument)) }
    }

    /// What follows `transformer(`.
    fn transform(&mut self, transformer: Transformer, start: usize) -> Result<Transform, SyntaxError> {
        /// As a pair of parentheses.
        const STEPS: u32 = 5;
        self.descend(STEPS)?;
        let mut arguments = Vec::new();
        loop {
            self.cursor.blanks();
            arguments.push(self.transformer_argument(true)?);
            self.cursor.blanks();
            if !self.cursor.token(",") {
                break;
            }
        }
        self.close_transformer()?;
        let key = self.argument()?;
        self.ascend(STEPS);
        Ok(Transform { transformer, arguments, key, span: self.cursor.span_from(start) })
    }

    fn close_transformer(&mut self) -> Result<(), SyntaxError> {
        self.cursor.blanks();
        if self.cursor.token(")") { Ok(()) } else { Err(self.expected(Expected::CloseTransformer)) }
    }

    fn transformer_argument(&mut self, lists: bool) -> Result<Argument, SyntaxError> {
        let start = self.cursor.at();
        if let Some(number) = self.cursor.number() {
            return Ok(Argument::Text(Value { text: number.into(), span: self.cursor.span_from(start) }));
        }
        if let Some(quoted) = self.quoted()? {
            return Ok(Argument::Text(quoted));
        }
        if lists && self.cursor.token("(") {
            return self.argument_list(start);
        }
        match self.left()? {
            Some(operand) => Ok(Argument::Operand(operand)),
            None => Err(self.expected(Expected::TransformerArgument)),
        }
    }

    fn argument_list(&mut self, start: usize) -> Result<Argument, SyntaxError> {
        let mut members = Vec::new();
        self.cursor.blanks();
        if !self.cursor.token(")") {
            loop {
                self.cursor.blanks();
                members.push(self.transformer_argument(false)?);
                self.cursor.blanks();
                if self.cursor.token(")") {
                    break;
                }
                if !self.cursor.token(",") {
                    return Err(self.expected(Expected::Close));
                }
            }
        }
        Ok(Argument::List(members, self.cursor.span_from(start)))
    }

    /// A string, in quotes or bare.
    pub fn string(&mut self) -> Result<Option<Value>, SyntaxError> {
        if let Some(quoted) = self.quoted()? {
            return Ok(Some(quoted));
        }
        let start = self.cursor.at();
        let bare = self.cursor.bare_string();
        Ok(bare.map(|text| Value { text: text.into(), span: self.cursor.span_from(start) }))
    }

    fn quoted(&mut self) -> Result<Option<Value>, SyntaxError> {
        let start = self.cursor.at();
        let Some(raw) = self.cursor.quoted() else { return Ok(None) };
        match quoted::unescape(raw) {
            Ok(text) => Ok(Some(Value { text, span: self.cursor.span_from(start) })),
            Err((kind, (from, to))) => Err(SyntaxError { kind, span: self.cursor.span(start + from, start + to) }),
        }
    }
}
