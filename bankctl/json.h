// Messages as JSON for scripts: one object a line, with the keys that a table names.
//
// Not protobuf's own mapping, which makes a string of every 64-bit number and shouts every enum:
// docs/DECISIONS.md. Numbers are numbers here, except those that pass 2^53 as a rule, where many
// readers' numbers end: `incarnation` and `..._unix_nanos` are strings of digits.
#pragma once

#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bank::bankctl {

using Json = nlohmann::ordered_json;

// The named fields of `message`, in that order; "key=field" gives a field under another key. A name
// that is not a field with one plain value stops the process.
Json Pick(const google::protobuf::Message& message, std::initializer_list<std::string_view> keys);

// A line to print, with its newline; what is not UTF-8 is replaced.
std::string LineOf(const Json& json);

// The enum's name in lower case: "timed_out". A number that this version does not know stays one.
std::string WordOf(const google::protobuf::EnumDescriptor& type, int number);
template <class Enum>
std::string WordOf(Enum value) {
  return WordOf(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

}  // namespace bank::bankctl
