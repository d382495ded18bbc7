#pragma once

#include <string_view>

namespace bank {

// "0.1.0"
std::string_view Version();

}  // namespace bank
