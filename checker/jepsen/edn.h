// A reader of EDN (https://github.com/edn-format/edn), as far as Jepsen's histories need it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bank::checker {

struct Edn {
  enum class Type : uint8_t { kNil, kBool, kInteger, kOther, kString, kKeyword, kVector, kMap };
  Type type = Type::kNil;
  int64_t integer = 0;     // kInteger, kBool
  std::string text;        // kString; kKeyword without its colon; kOther: symbols, characters,
                           // other numbers, patterns, as they are written
  std::vector<Edn> items;  // kVector (lists and sets too); kMap: key, value, key, value

  // The value of a keyword in a map; null if it is not there or this is no map.
  const Edn* Find(std::string_view keyword) const;
};

// All values of the text, one after the other. Tags (#foo value) and metadata (^foo value) are
// dropped, #_ values discarded; keys of a #:foo{map} get their namespace. Integers may end in N or
// M. A keyword that is twice a key of one map is an error. InvalidArgument with the line number.
absl::StatusOr<std::vector<Edn>> ParseEdn(std::string_view text);

}  // namespace bank::checker
