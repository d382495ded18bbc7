// The fields of the course's files: keys, words and numbers, read as leniently as people write
// them, and complaints that say where.
//
// Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"

namespace bank::script {

// An object as it is written: in order, and with a key twice if it is there twice. The library's
// own objects keep one of the two values and forget that there was another.
template <class Key, class Value, class Less, class Allocator>
struct AllPairs : nlohmann::ordered_map<Key, Value, Less, Allocator> {
  using nlohmann::ordered_map<Key, Value, Less, Allocator>::ordered_map;
  Value& operator[](const Key& key) {  // what the parser puts a value into
    this->push_back({key, Value()});
    return this->back().second;
  }
};
using Json = nlohmann::basic_json<AllPairs>;

inline constexpr int64_t kMoneyMax = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kIdMax = kBranchIdMax;

// Where in a file we are, for complaints: grows from the left, "in.json: element 3, event 1".
struct Place {
  std::string path;

  Place In(const std::string& part) const;
  Place Key(absl::string_view key) const;
  absl::Status Error(const std::string& what) const;  // InvalidArgument
};

// How a value stands in a complaint: its JSON on one line, cut where it gets long.
std::string Show(const Json& value);

// Keys and words may carry stray blanks and capitals; `_` is read as `-`.
std::string Normalized(absl::string_view word);

// The value under the one of `names` that `object` has; nullptr if it has none. Two are an error:
// we would have to guess which one is meant.
absl::StatusOr<const Json*> Find(const Json& object, std::initializer_list<absl::string_view> names,
                                 const Place& place);
// As above; none is an error.
absl::StatusOr<const Json*> Require(const Json& object,
                                    std::initializer_list<absl::string_view> names,
                                    const Place& place);

// An integer from `min` (>= 0) to `max`, both inclusive, also as 10.0 or "10".
absl::StatusOr<int64_t> Integer(const Json& value, int64_t min, int64_t max, const Place& place);
// The integer of a key that must be there.
absl::StatusOr<int64_t> RequiredInteger(const Json& object,
                                        std::initializer_list<absl::string_view> names, int64_t min,
                                        int64_t max, const Place& place);

// The text as JSON of the standard: of ToStrictJson(), of the right encoding, not empty. An error
// begins with `file` and the line, where it is known.
absl::StatusOr<std::string> StrictText(const Place& file, std::string_view text);
// One value of the standard's JSON. The error is one line.
absl::StatusOr<Json> ParseJson(const Place& file, const std::string& text);

}  // namespace bank::script
