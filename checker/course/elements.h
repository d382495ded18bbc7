// The elements of an output that somebody's program wrote, whatever it looks like around them.
//
// Read are: one JSON array; a bare object; several values one after the other, with or without
// commas, on one line or on many (JSON lines), and headings between them; arrays in arrays (the
// parts of project 2); an object whose values are such arrays; Python's text (single quotes, True,
// None, words without quotes); log lines that hold an object each; and what course/lenient_json.h
// forgives. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "course/json_fields.h"

namespace bank::checker::course {

// Elements in the order of the file; the n-th is called element n, from 1. All are objects or,
// where a file has them, bare values. InvalidArgument: the text cannot be read so; one line that
// begins with `name`.
absl::StatusOr<std::vector<script::Json>> ReadElements(std::string_view name,
                                                       std::string_view text);

// An integer, also as 570.0, "570" or "570.0"; it may be negative.
std::optional<int64_t> WholeNumber(const script::Json& value);

// The value under the first of `names` that `object` has, in any spelling (script::Normalized);
// nullptr: under none.
const script::Json* FieldOf(const script::Json& object,
                            std::initializer_list<std::string_view> names);
// The text under it, normalized; "": none, or no text.
std::string WordOf(const script::Json& object, std::initializer_list<std::string_view> names);

}  // namespace bank::checker::course
