#include "checker/course/answers.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Entry;
using script::Interface;
using script::Json;
using script::Operation;
using script::Script;

// An answer as it stands in the output.
struct Given {
  std::string place = {};
  std::string interface = {};  // normalized; "": none
  std::string result = {};
  std::string result_shown = {};
  const Json* balance = nullptr;
  const Json* branch = nullptr;
};

struct GivenElement {
  size_t number = 0;
  std::optional<int64_t> id = {};
  bool has_list = false;
  std::vector<Given> answers = {};
  const Json* balance = nullptr;
};

std::string ElementPlace(size_t number) { return fmt::format("element {}", number); }

Given GivenOf(const Json& event, std::string place) {
  Given given{.place = std::move(place)};
  given.interface = WordOf(event, {"interface", "operation", "request"});
  given.balance = FieldOf(event, {"balance", "money"});
  given.branch = FieldOf(event, {"branch", "dest"});
  if (const Json* result = FieldOf(event, {"result", "status"})) {
    given.result_shown = script::Show(*result);
    given.result = result->is_string() ? WordOf(event, {"result", "status"}) : given.result_shown;
  }
  return given;
}

// A query's balance in the words of its result: "balance: 570.0".
std::optional<int64_t> BalanceInWords(std::string_view words) {
  constexpr std::string_view kName = "balance";
  if (!words.starts_with(kName)) return std::nullopt;
  const size_t digits = words.find_first_not_of(" :=$", kName.size());
  if (digits == words.npos) return std::nullopt;
  return WholeNumber(Json(std::string(words.substr(digits))));
}

std::optional<bool> SuccessOf(std::string_view result) {
  for (const std::string_view word : {"success", "successful", "succeeded", "ok", "true"}) {
    if (result == word) return true;
  }
  for (const std::string_view word :
       {"fail", "false", "error", "insufficient", "refuse", "reject", "denied", "unsuccess"}) {
    if (result.starts_with(word)) return false;
  }
  return std::nullopt;
}

// The element that `value` is; nullopt: none of these projects'.
std::optional<GivenElement> ElementOf(const Json& value, size_t number) {
  if (!value.is_object()) return std::nullopt;
  GivenElement element{.number = number};
  if (const Json* id = FieldOf(value, {"id", "customer", "customer-id"})) {
    element.id = WholeNumber(id->is_array() && id->size() == 1 ? id->front() : *id);
  }
  const Json* list = FieldOf(value, {"recv", "events", "results", "responses"});
  element.balance = FieldOf(value, {"balance", "money"});
  if (list != nullptr && list->is_object()) {  // a bare answer instead of an array of one
    element.has_list = true;
    element.answers.push_back(GivenOf(*list, fmt::format("element {}, event 1", number)));
  } else if (list != nullptr && list->is_array()) {
    element.has_list = true;
    for (const Json& event : *list) {
      const size_t next = element.answers.size() + 1;
      element.answers.push_back(GivenOf(event, fmt::format("element {}, event {}", number, next)));
    }
  }
  if (!element.has_list && (element.balance == nullptr || !element.id)) {
    if (!element.id || FieldOf(value, {"logical-clock", "type"}) != nullptr) return std::nullopt;
  }
  return element;
}

bool HasClocks(const Json& element) {
  if (FieldOf(element, {"logical-clock", "clock", "data"}) != nullptr) return true;
  const Json* list = FieldOf(element, {"events", "recv"});
  return list != nullptr && list->is_array() && !list->empty() &&
         FieldOf(list->front(), {"logical-clock"}) != nullptr;
}

bool IsBranch(const Json& element) {
  const std::string type = WordOf(element, {"type"});
  return (type == "branch" || type == "bank") && FieldOf(element, {"balance"}) != nullptr;
}

bool SameAnswer(const Given& a, const Given& b) {
  const auto equal = [](const Json* x, const Json* y) {
    return x == nullptr || y == nullptr ? x == y : *x == *y;
  };
  return a.interface == b.interface && a.result == b.result && equal(a.balance, b.balance) &&
         equal(a.branch, b.branch);
}

// A program that writes all it has been told so far after every answer repeats itself.
void DropGrowing(std::vector<GivenElement>* elements, size_t asked) {
  const auto count = [&] {
    size_t answers = 0;
    for (const GivenElement& element : *elements) answers += element.answers.size();
    return answers;
  };
  if (count() <= asked) return;
  std::vector<GivenElement> kept;
  for (size_t i = 0; i < elements->size(); ++i) {
    const auto& answers = (*elements)[i].answers;
    const bool grows =
        i + 1 < elements->size() && (*elements)[i + 1].answers.size() > answers.size() &&
        std::equal(answers.begin(), answers.end(), (*elements)[i + 1].answers.begin(), SameAnswer);
    if (!grows) kept.push_back((*elements)[i]);
  }
  std::swap(kept, *elements);
  if (count() != asked) std::swap(kept, *elements);
}

// Which answer belongs to which question: one by one if there are as many, else so that as many as
// can be are of the right kind. -1: none.
std::vector<int> Pair(const std::vector<std::string_view>& asked,
                      const std::vector<std::string_view>& given) {
  constexpr size_t kTableMax = 4'000'000;
  std::vector<int> pairs(asked.size(), -1);
  if (asked.size() == given.size() || (asked.size() + 1) * (given.size() + 1) > kTableMax) {
    for (size_t i = 0; i < std::min(asked.size(), given.size()); ++i)
      pairs[i] = static_cast<int>(i);
    return pairs;
  }
  const size_t width = given.size() + 1;
  std::vector<int> best((asked.size() + 1) * width, 0);
  for (size_t i = asked.size(); i-- > 0;) {
    for (size_t j = given.size(); j-- > 0;) {
      best[i * width + j] = std::max({asked[i] == given[j] ? best[(i + 1) * width + j + 1] + 1 : 0,
                                      best[(i + 1) * width + j], best[i * width + j + 1]});
    }
  }
  for (size_t i = 0, j = 0; i < asked.size() && j < given.size();) {
    if (asked[i] == given[j] && best[i * width + j] == best[(i + 1) * width + j + 1] + 1) {
      pairs[i++] = static_cast<int>(j++);
    } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return pairs;
}

class Matcher {
 public:
  Matcher(const Script& script, bool with_branches, Grade* grade)
      : script_(script), with_branches_(with_branches), grade_(grade) {
    for (size_t i = 0; i < script.entries.size(); ++i) {
      entries_of_[script.entries[i].customer].push_back(i);
      answers_.told.emplace_back(script.entries[i].operations.size());
    }
  }

  Answers Run(std::vector<GivenElement> elements) {
    bool lists = false;
    for (const GivenElement& element : elements) lists = lists || element.has_list;
    answers_.only_final = !lists;
    for (GivenElement& element : elements) Sort(std::move(element), elements.size());
    if (answers_.only_final) {
      MatchFinal();
    } else {
      for (auto& [customer, entries] : entries_of_) MatchCustomer(customer, entries);
    }
    if (out_of_order_)
      grade_->notes.push_back("its elements stand in another order than the input's");
    return std::move(answers_);
  }

 private:
  void Sort(GivenElement element, size_t elements) {
    if (!element.id && elements == script_.entries.size()) {
      element.id = static_cast<int64_t>(script_.entries[element.number - 1].customer);
      grade_->Add(ElementPlace(element.number), "it has no id that is a number");
    }
    const auto customer = static_cast<uint64_t>(element.id.value_or(0));
    if (!entries_of_.contains(customer)) {
      grade_->Add(ElementPlace(element.number),
                  element.id ? fmt::format("there is no customer {} in the input", *element.id)
                             : "it has no id that is a number");
      return;
    }
    const std::vector<size_t>& entries = entries_of_[customer];
    const size_t entry = entries[std::min(given_of_[customer].size(), entries.size() - 1)];
    out_of_order_ = out_of_order_ || entry < last_entry_;
    last_entry_ = entry;
    given_of_[customer].push_back(std::move(element));
  }

  void MatchCustomer(uint64_t customer, const std::vector<size_t>& entries) {
    std::vector<std::pair<size_t, size_t>> asked;
    std::vector<std::string_view> asked_kinds;
    for (const size_t entry : entries) {
      const auto& operations = script_.entries[entry].operations;
      for (size_t i = 0; i < operations.size(); ++i) {
        asked.push_back({entry, i});
        asked_kinds.push_back(script::InterfaceName(operations[i].interface));
      }
    }
    grade_->values += asked.size();
    auto& elements = given_of_[customer];
    if (elements.empty()) {
      if (!asked.empty()) {
        grade_->Add("",
                    fmt::format("customer {} has no element in the output, though the input has {} "
                                "events for it",
                                customer, asked.size()));
      }
      return;
    }
    DropGrowing(&elements, asked.size());
    std::vector<const Given*> given;
    std::vector<std::string_view> given_kinds;
    for (const GivenElement& element : elements) {
      for (const Given& answer : element.answers) {
        given.push_back(&answer);
        given_kinds.push_back(answer.interface);
      }
    }
    const std::vector<int> pairs = Pair(asked_kinds, given_kinds);
    std::vector<bool> used(given.size(), false);
    for (size_t i = 0; i < asked.size(); ++i) {
      const auto [entry, operation] = asked[i];
      if (pairs[i] < 0) {
        grade_->Add(ElementPlace(elements.back().number),
                    DescribeAsked(script_, entry, operation) + " has no answer");
        continue;
      }
      used[static_cast<size_t>(pairs[i])] = true;
      const Told told = Read(entry, operation, *given[static_cast<size_t>(pairs[i])]);
      if (told.is_read) ++grade_->values_right;
      answers_.told[entry][operation] = told;
    }
    for (size_t j = 0; j < given.size(); ++j) {
      if (used[j]) continue;
      ++grade_->values;
      grade_->Add(
          given[j]->place,
          fmt::format("an answer to nothing: the input has {} events for customer {}, the output "
                      "{} answers",
                      asked.size(), customer, given.size()));
    }
  }

  void MatchFinal() {
    answers_.final_told.resize(script_.entries.size());
    grade_->values += script_.entries.size();
    for (const auto& [customer, entries] : entries_of_) {
      auto& elements = given_of_[customer];
      for (size_t i = 0; i < entries.size(); ++i) {
        if (i >= elements.size()) {
          grade_->Add("", fmt::format("customer {} has no final balance in the output", customer));
          continue;
        }
        Told* told = &answers_.final_told[entries[i]];
        told->place = ElementPlace(elements[i].number);
        ReadBalance(elements[i].balance,
                    "customer " + std::to_string(customer) + "'s final balance", told);
        if (told->is_read) ++grade_->values_right;
      }
      for (size_t i = entries.size(); i < elements.size(); ++i) {
        grade_->Add(ElementPlace(elements[i].number),
                    fmt::format("customer {} has more than one final balance", customer));
      }
    }
  }

  void ReadBalance(const Json* balance, const std::string& what, Told* told) {
    if (balance == nullptr || balance->is_null()) {
      grade_->Add(told->place, what + " is missing; a balance of 0 is written, too");
      return;
    }
    const std::optional<int64_t> number = WholeNumber(*balance);
    if (!number) {
      grade_->Add(told->place,
                  fmt::format("{} is {}, which is no integer", what, script::Show(*balance)));
      return;
    }
    told->balance = *number;
    told->is_read = true;
  }

  Told Read(size_t entry, size_t operation, const Given& given) {
    const Operation& asked = script_.entries[entry].operations[operation];
    Told told{.place = given.place};
    const std::string_view interface = script::InterfaceName(asked.interface);
    if (given.interface != interface) {
      grade_->Add(given.place,
                  fmt::format("its interface is \"{}\", but the input asks for {}", given.interface,
                              DescribeAsked(script_, entry, operation)));
      return told;
    }
    if (with_branches_ && given.branch != nullptr) {
      const std::optional<int64_t> branch = WholeNumber(*given.branch);
      if (!branch || *branch != static_cast<int64_t>(asked.branch.value)) {
        grade_->Add(given.place,
                    fmt::format("its branch is {}, but the input sends {} to branch {}",
                                script::Show(*given.branch),
                                DescribeAsked(script_, entry, operation), asked.branch.value));
        return told;
      }
    }
    const std::optional<bool> success = SuccessOf(given.result);
    if (asked.interface == Interface::kQuery) {
      const std::optional<int64_t> in_words =
          given.balance == nullptr ? BalanceInWords(given.result) : std::nullopt;
      if (in_words) {
        told.balance = *in_words;
        told.is_read = true;
      } else if (success == false) {
        grade_->Add(given.place, "a query cannot fail; it says " + given.result_shown);
      } else {
        ReadBalance(given.balance, "the query's balance", &told);
      }
      return told;
    }
    if (given.result_shown.empty()) {
      grade_->Add(given.place, fmt::format("the {}'s result is missing", interface));
    } else if (!success) {
      grade_->Add(given.place,
                  fmt::format("the {}'s result is {}, which is neither \"success\" nor "
                              "\"fail\"",
                              interface, given.result_shown));
    } else {
      told.success = *success;
      told.is_read = true;
    }
    return told;
  }

  const Script& script_;
  const bool with_branches_;
  Grade* const grade_;
  Answers answers_;
  std::map<uint64_t, std::vector<size_t>> entries_of_;
  std::map<uint64_t, std::vector<GivenElement>> given_of_;
  size_t last_entry_ = 0;
  bool out_of_order_ = false;
};

}  // namespace

std::string DescribeAsked(const Script& script, size_t entry, size_t operation) {
  const Entry& asked = script.entries[entry];
  const Operation& op = asked.operations[operation];
  std::string what =
      fmt::format("customer {}'s {}", asked.customer, script::InterfaceName(op.interface));
  if (op.interface != Interface::kQuery) what += fmt::format(" of {}", op.money);
  if (op.branch_named) what += fmt::format(" at branch {}", op.branch.value);
  return what + fmt::format(" (element {}, event {} of the input)", asked.element, operation + 1);
}

absl::StatusOr<Answers> MatchAnswers(std::string_view name, const Script& script,
                                     const std::vector<Json>& elements, bool with_branches,
                                     Grade* grade) {
  std::vector<GivenElement> given;
  bool clocks = false;
  bool is_input = false;
  for (size_t i = 0; i < elements.size(); ++i) {
    clocks = clocks || HasClocks(elements[i]);
    is_input = is_input || IsBranch(elements[i]);
    const std::optional<GivenElement> element = ElementOf(elements[i], i + 1);
    if (element) given.push_back(*element);
  }
  if (given.empty() || clocks || is_input) {
    return script::Place{std::string(name)}.Error(
        clocks     ? "it has logical clocks, as outputs of project 2 have (--project 2)"
        : is_input ? "it has branches with balances: an input, not an output"
                   : "nothing in it is a customer with its answers (\"id\" and \"recv\")");
  }
  size_t bare = 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (ElementOf(elements[i], i + 1)) continue;
    if (WholeNumber(elements[i])) {
      ++bare;
    } else {
      grade->Add(ElementPlace(i + 1),
                 fmt::format("{} is no customer with its answers", script::Show(elements[i])));
    }
  }
  if (bare != 0) grade->notes.push_back(fmt::format("{} bare customer ids are passed over", bare));
  return Matcher(script, with_branches, grade).Run(std::move(given));
}

}  // namespace bank::checker::course
