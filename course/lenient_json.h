// Turns JSON as people write it into JSON as the standard has it, keeping every line where it was.
//
// Forgiven: a byte order mark, blanks that are no JSON blanks (no-break space and its relatives),
// typographic and single quotes around strings, commas before a closing bracket, comments
// (`// ...`, `# ...`, `/* ... */`). Line n of the result comes from line n of the text, so a
// parser's complaint about a line holds for the text too. Pure; anything else that is wrong stays
// wrong and is left to the parser.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bank::script {

// InvalidArgument ("line 3: ...") if a string or a comment does not end, brackets stand more than
// 64 deep, or a zero byte stands outside a string.
absl::StatusOr<std::string> ToStrictJson(std::string_view text);

}  // namespace bank::script
