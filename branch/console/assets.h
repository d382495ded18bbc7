// The page's files, built into the program (CMakeLists.txt).
#pragma once

#include <string_view>

namespace bank::console {

struct Asset {
  std::string_view path;  // as asked for: "/", "/console.js", ...
  std::string_view type;  // for Content-Type
  std::string_view bytes;
};

extern const Asset kAssets[];
extern const unsigned long kAssetCount;

}  // namespace bank::console
