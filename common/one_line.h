// Bytes from outside, fit to stand in a message for people.
#pragma once

#include <string>
#include <string_view>

namespace bank {

// `text` as one line of valid UTF-8: control characters, and bytes that are no UTF-8, become \xNN.
// Cut, with "..." at its end, where it would get longer than `bytes_max` (at least 3).
std::string OneLine(std::string_view text, size_t bytes_max = 200);

}  // namespace bank
