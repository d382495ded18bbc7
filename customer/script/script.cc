#include "customer/script/script.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/decimal.h"
#include "common/one_line.h"
#include "customer/script/lenient_json.h"

namespace bank::script {
namespace {

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

constexpr int64_t kMoneyMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kIdMax = kBranchIdMax;

// Where in the input we are, for complaints: grows from the left, "in.json: element 3, event 1".
struct Place {
  std::string path;

  Place In(const std::string& part) const { return Place{absl::StrCat(path, ", ", part)}; }
  Place Key(absl::string_view key) const { return In(absl::StrCat("key \"", key, "\"")); }
  absl::Status Error(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  }
};

// How a value stands in a complaint: its JSON on one line, cut where it gets long.
std::string Show(const Json& value) {
  constexpr size_t kShownBytesMax = 40;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "...";
  return text;
}

// Keys and words may carry stray blanks and capitals.
std::string Normalized(absl::string_view word) {
  std::string plain = absl::StrReplaceAll(word, {{"\xC2\xA0", " "}, {"_", "-"}});
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(plain));
}

// The value under the one of `names` that `object` has; nullptr if it has none. Two are an error:
// we would have to guess which one is meant.
absl::StatusOr<const Json*> Find(const Json& object, std::initializer_list<absl::string_view> names,
                                 const Place& place) {
  const Json* found = nullptr;
  for (const auto& item : object.items()) {
    const std::string key = Normalized(item.key());
    for (absl::string_view name : names) {
      if (key != name) continue;
      if (found != nullptr) return place.Key(name).Error("it is there twice, or in two spellings");
      found = &item.value();
    }
  }
  return found;
}

absl::StatusOr<const Json*> Require(const Json& object,
                                    std::initializer_list<absl::string_view> names,
                                    const Place& place) {
  absl::StatusOr<const Json*> found = Find(object, names, place);
  if (found.ok() && *found == nullptr) return place.Key(*names.begin()).Error("it is missing");
  return found;
}

absl::StatusOr<int64_t> TooLarge(const Json& value, int64_t max, const Place& place) {
  // What is beyond 64 bits is held rounded, and so it would be shown.
  const std::string shown = value.is_number_float() ? "the number" : Show(value);
  return place.Error(absl::StrCat(shown, " is larger than ", max));
}

// An integer from `min` to `max`, both inclusive, also as 10.0 or "10".
absl::StatusOr<int64_t> Integer(const Json& value, int64_t min, int64_t max, const Place& place) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: every integer below has a double
  int64_t number = 0;
  if (value.is_number_unsigned()) {
    if (value.get<uint64_t>() > static_cast<uint64_t>(max)) return TooLarge(value, max, place);
    number = static_cast<int64_t>(value.get<uint64_t>());
  } else if (value.is_number_integer()) {
    number = value.get<int64_t>();
  } else if (value.is_number_float()) {
    const double real = value.get<double>();
    if (std::trunc(real) != real) return place.Error(absl::StrCat(Show(value), " is no integer"));
    if (real >= static_cast<double>(max)) return TooLarge(value, max, place);
    if (real > kExactMax)
      return place.Error(absl::StrCat(Show(value), " is not exact; write digits"));
    if (real < 0) return place.Error(absl::StrCat(Show(value), " is negative"));
    number = static_cast<int64_t>(real);
  } else if (value.is_string()) {
    const std::string text = Normalized(value.get_ref<const std::string&>());
    const auto read = ParseDecimal<int64_t>(text);
    if (!read) {
      return place.Error(absl::StrCat(Show(value), " is no integer from ", min, " to ", max));
    }
    number = *read;
  } else {
    return place.Error(absl::StrCat(Show(value), " is no integer"));
  }
  if (number < 0) return place.Error(absl::StrCat(Show(value), " is negative"));
  if (number < min) return place.Error(absl::StrCat(Show(value), " is less than ", min));
  if (number > max) return TooLarge(value, max, place);
  return number;
}

absl::StatusOr<int64_t> RequiredInteger(const Json& object,
                                        std::initializer_list<absl::string_view> names, int64_t min,
                                        int64_t max, const Place& place) {
  absl::StatusOr<const Json*> value = Require(object, names, place);
  if (!value.ok()) return value.status();
  return Integer(**value, min, max, place.Key(*names.begin()));
}

absl::StatusOr<Interface> ParseInterface(const Json& value, const Place& place) {
  if (value.is_string()) {
    const std::string name = Normalized(value.get_ref<const std::string&>());
    for (Interface interface : {Interface::kQuery, Interface::kDeposit, Interface::kWithdraw}) {
      if (name == InterfaceName(interface)) return interface;
    }
  }
  return place.Error(absl::StrCat(Show(value), " is not one of query, deposit, withdraw"));
}

absl::StatusOr<Operation> ParseEvent(const Json& event, const Place& place) {
  if (!event.is_object()) return place.Error(absl::StrCat(Show(event), " is no object"));
  Operation operation;
  absl::StatusOr<const Json*> name = Require(event, {"interface"}, place);
  if (!name.ok()) return name.status();
  absl::StatusOr<Interface> interface = ParseInterface(**name, place.Key("interface"));
  if (!interface.ok()) return interface.status();
  operation.interface = *interface;
  if (operation.interface != Interface::kQuery) {
    absl::StatusOr<int64_t> money = RequiredInteger(event, {"money"}, 0, kMoneyMax, place);
    if (!money.ok()) return money.status();
    operation.money = *money;
  }
  absl::StatusOr<const Json*> branch = Find(event, {"branch", "dest"}, place);
  if (!branch.ok()) return branch.status();
  if (*branch != nullptr) {
    absl::StatusOr<int64_t> id = Integer(**branch, 1, kIdMax, place.Key("branch"));
    if (!id.ok()) return id.status();
    operation.branch = BranchId(static_cast<uint64_t>(*id));
    operation.branch_named = true;
  }
  return operation;
}

absl::StatusOr<Entry> ParseCustomer(const Json& element, int64_t id, const Place& place) {
  Entry entry;
  entry.customer = static_cast<uint64_t>(id);
  absl::StatusOr<const Json*> events = Require(element, {"events", "customer-requests"}, place);
  if (!events.ok()) return events.status();
  if (!(*events)->is_array()) {
    return place.Key("events").Error(absl::StrCat(Show(**events), " is no array"));
  }
  for (const Json& event : **events) {
    const size_t number = entry.operations.size() + 1;
    absl::StatusOr<Operation> operation =
        ParseEvent(event, place.In(absl::StrCat("event ", number)));
    if (!operation.ok()) return operation.status();
    entry.operations.push_back(*operation);
  }
  return entry;
}

// Reads the elements one by one; what needs all of them (who has a branch) is checked at the end.
class Reader {
 public:
  explicit Reader(std::string_view name) : file_{std::string(name)} {}

  absl::StatusOr<Script> Run(const Json& root) {
    if (!root.is_array()) return file_.Error("not an array of customers and branches");
    size_t number = 0;
    for (const Json& element : root) {
      absl::Status status = Element(element, ++number);
      if (!status.ok()) return status;
    }
    if (script_.branches.empty()) return file_.Error("it has no branch");
    if (absl::Status status = ResolveBranches(); !status.ok()) return status;
    return std::move(script_);
  }

 private:
  absl::Status Element(const Json& element, size_t number) {
    Place place{absl::StrCat(file_.path, ": element ", number)};
    if (!element.is_object()) return place.Error(absl::StrCat(Show(element), " is no object"));
    absl::StatusOr<const Json*> type = Require(element, {"type"}, place);
    if (!type.ok()) return type.status();
    const std::string word =
        (*type)->is_string() ? Normalized((*type)->get_ref<const std::string&>()) : "";
    const bool customer = word == "customer" || word == "client";
    if (!customer && word != "branch" && word != "bank") {
      return place.Key("type").Error(absl::StrCat(Show(**type), " is neither customer nor branch"));
    }
    absl::StatusOr<int64_t> id = RequiredInteger(element, {"id"}, 1, kIdMax, place);
    if (!id.ok()) return id.status();
    place.path += absl::StrCat(customer ? " (customer " : " (branch ", *id, ")");
    if (!customer) return Branch(element, BranchId(static_cast<uint64_t>(*id)), place);
    absl::StatusOr<Entry> entry = ParseCustomer(element, *id, place);
    if (!entry.ok()) return entry.status();
    script_.entries.push_back(*std::move(entry));
    entry_places_.push_back(place);
    return absl::OkStatus();
  }

  absl::Status Branch(const Json& element, BranchId id, const Place& place) {
    absl::StatusOr<int64_t> balance = RequiredInteger(element, {"balance"}, 0, kMoneyMax, place);
    if (!balance.ok()) return balance.status();
    if (!known_.insert(id).second) {
      return place.Key("id").Error(absl::StrCat("there are two branches ", id.value));
    }
    if (script_.branches.empty()) {
      script_.balance = *balance;
    } else if (*balance != script_.balance) {
      return place.Key("balance").Error(
          absl::StrCat(*balance, " differs from the ", script_.balance, " of branch ",
                       script_.branches[0].value, "; all branches share one balance"));
    }
    script_.branches.push_back(id);
    return absl::OkStatus();
  }

  absl::Status ResolveBranches() {
    for (size_t i = 0; i < script_.entries.size(); ++i) {
      Entry& entry = script_.entries[i];
      const BranchId own(entry.customer);
      const bool has_own = known_.contains(own);
      if (entry.operations.empty() && !has_own) return NoBranch(entry_places_[i], own);
      size_t number = 0;
      for (Operation& operation : entry.operations) {
        const Place place = entry_places_[i].In(absl::StrCat("event ", ++number));
        if (!operation.branch_named) {
          if (!has_own) return NoBranch(place, own);
          operation.branch = own;
        } else if (!known_.contains(operation.branch)) {
          return place.Key("branch").Error(
              absl::StrCat("there is no branch ", operation.branch.value));
        }
      }
    }
    return absl::OkStatus();
  }

  static absl::Status NoBranch(const Place& place, BranchId own) {
    return place.Key("id").Error(
        absl::StrCat("the customer's branch ", own.value, " is not in the input"));
  }

  const Place file_;
  Script script_;
  std::vector<Place> entry_places_;
  absl::flat_hash_set<BranchId> known_;
};

// "[json.exception.parse_error.101] parse error at line 2, column 5: syntax error while ..." with
// the parts that mean nothing to who wrote the file left out.
std::string PlainParseError(absl::string_view what) {
  size_t start = what.find("] ");
  if (start != what.npos) what.remove_prefix(start + 2);
  start = what.find(": ");
  if (start != what.npos) what.remove_prefix(start + 2);
  return OneLine(absl::StrReplaceAll(what, {{"\n", " "}, {"<U+000A>", "end of line"}}));
}

// What the text is if it is not UTF-8, by its byte order mark, or by where the zeros of its first
// character are: that one is ASCII in every JSON. Windows' tools write such files. "": UTF-8.
std::string_view OtherEncoding(std::string_view text) {
  using std::literals::operator""sv;
  const auto zeros_at = [text](std::initializer_list<bool> zeros) {
    size_t i = 0;
    return text.size() >= zeros.size() && std::all_of(zeros.begin(), zeros.end(), [&](bool zero) {
             return (text[i++] == '\0') == zero;
           });
  };
  if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv) ||
      zeros_at({false, true, true, true}) || zeros_at({true, true, true, false})) {
    return "UTF-32";
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || zeros_at({false, true}) ||
      zeros_at({true, false})) {
    return "UTF-16";
  }
  return "";
}

absl::StatusOr<Json> ParseJson(const Place& file, const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const size_t before = std::min(error.byte > 0 ? error.byte - 1 : 0, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(before), '\n');
    return Place{absl::StrCat(file.path, ": line ", line)}.Error(
        absl::StrCat("not JSON: ", PlainParseError(error.what())));
  } catch (const Json::exception& error) {
    return file.Error(absl::StrCat("not JSON: ", PlainParseError(error.what())));
  }
}

}  // namespace

std::string_view InterfaceName(Interface interface) {
  switch (interface) {
    case Interface::kQuery:
      return "query";
    case Interface::kDeposit:
      return "deposit";
    case Interface::kWithdraw:
      return "withdraw";
  }
  return "";
}

size_t Entry::CountBeforeFinalQueries() const {
  size_t count = operations.size();
  while (count > 0 && operations[count - 1].interface == Interface::kQuery) --count;
  return count;
}

absl::StatusOr<Script> ParseScript(std::string_view name, std::string_view text) {
  const Place file{std::string(name)};
  if (const std::string_view encoding = OtherEncoding(text); !encoding.empty()) {
    return file.Error(absl::StrCat("its text is ", std::string(encoding), "; save it as UTF-8"));
  }
  absl::StatusOr<std::string> strict = ToStrictJson(text);
  if (!strict.ok()) return file.Error(std::string(strict.status().message()));
  if (absl::StripAsciiWhitespace(*strict).empty()) return file.Error("the file is empty");
  absl::StatusOr<Json> root = ParseJson(file, *strict);
  if (!root.ok()) return root.status();
  return Reader(name).Run(*root);
}

}  // namespace bank::script
