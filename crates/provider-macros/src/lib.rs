//! The derive behind provider schemas.
