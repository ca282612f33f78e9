//! Clients of the field.

mod anthropic;
mod editors;
mod openai;
mod replay;
mod sdks;
mod tools;
