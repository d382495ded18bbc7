#include "checker/course/clock_events.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/decimal.h"
#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Json;

constexpr const char* kComments =
    "\"event_sent from customer C\", \"event_recv from customer C\", \"event_sent to branch B\", "
    "\"event_recv from branch B\"";

// "propogate_deposit" -> deposit, propagated. nullopt: no interface.
std::optional<Interface> InterfaceOf(std::string word, bool* propagated) {
  *propagated = false;
  for (const std::string_view prefix :
       {"propogate-", "propagate-", "broadcast-", "propogate ", "propagate "}) {
    if (!word.starts_with(prefix)) continue;
    word.erase(0, prefix.size());
    *propagated = true;
    break;
  }
  for (const Interface interface : {Interface::kQuery, Interface::kDeposit, Interface::kWithdraw}) {
    if (word == script::InterfaceName(interface)) return interface;
  }
  return std::nullopt;
}

// The words of a comment. False: it is none of the four.
bool ReadComment(const std::string& normalized, ClockEvent* event) {
  const std::string plain = absl::StrReplaceAll(normalized, {{"event-", "event "}});
  const std::vector<std::string> words = absl::StrSplit(plain, ' ', absl::SkipEmpty());
  if (words.size() != 5 || words[0] != "event") return false;
  event->sent = words[1] == "sent";
  if (!event->sent && words[1] != "recv" && words[1] != "received") return false;
  event->partner.is_branch = words[3] == "branch";
  if (!event->partner.is_branch && words[3] != "customer") return false;
  const bool to = event->sent && event->partner.is_branch;
  if (words[2] != (to ? "to" : "from") && (event->sent || words[2] != "by")) return false;
  const auto id = ParseDecimal<int64_t>(words[4]);
  event->partner.id = id.value_or(0);
  return id.has_value();
}

bool IsBlock(const Json& element) {
  return FieldOf(element, {"pid", "eventid", "event-id"}) != nullptr &&
         FieldOf(element, {"data"}) != nullptr;
}
bool IsFlat(const Json& element) {
  return FieldOf(element, {"logical-clock"}) != nullptr &&
         FieldOf(element, {"customer-request-id"}) != nullptr;
}
const Json* ListOf(const Json& element) {
  const Json* list = FieldOf(element, {"events", "recv"});
  return list != nullptr && list->is_array() ? list : nullptr;
}

class Reader {
 public:
  Reader(bool name_files, Grade* grade) : name_files_(name_files), grade_(grade) {}

  void Read(const OutputFile& file) {
    for (size_t i = 0; i < file.elements.size(); ++i) {
      const Json& element = file.elements[i];
      const std::string place = name_files_ ? fmt::format("{}, element {}", file.name, i + 1)
                                            : fmt::format("element {}", i + 1);
      if (IsBlock(element)) {
        output_.blocks = true;
        ReadBlock(element, place);
      } else if (IsFlat(element)) {
        output_.has_flat = true;
        ReadFlat(element, place);
      } else if (ListOf(element) != nullptr) {
        ReadList(element, place);
      } else if (element.is_number()) {
        ++bare_ids_;
      } else {
        Fault(place, fmt::format("{} is no event and no list of a process's events",
                                 script::Show(element)));
      }
    }
  }

  absl::StatusOr<ClockOutput> Take(const std::string& name) {
    if (output_.by_process.empty() && output_.flat.empty() && output_.by_branch.empty() &&
        output_.by_write.empty()) {
      return script::Place{name}.Error("nothing in it is an event with a logical clock");
    }
    for (Unread& fault : faults_) grade_->Add(std::move(fault.place), std::move(fault.what));
    if (bare_ids_ != 0) {
      grade_->notes.push_back(fmt::format("{} bare customer ids are passed over", bare_ids_));
    }
    return std::move(output_);
  }

 private:
  struct Unread {
    std::string place, what;
  };

  void Fault(std::string place, std::string what) {
    faults_.push_back({std::move(place), std::move(what)});
  }

  // A whole number under one of `names`; a fault if there is none.
  std::optional<int64_t> Number(const Json& object, std::initializer_list<std::string_view> names,
                                const std::string& place) {
    const Json* value = FieldOf(object, names);
    const std::optional<int64_t> number = value == nullptr ? std::nullopt : WholeNumber(*value);
    if (!number) {
      Fault(place, value == nullptr ? fmt::format("the key \"{}\" is missing", *names.begin())
                                    : fmt::format("its \"{}\" is {}, which is no integer",
                                                  *names.begin(), script::Show(*value)));
    }
    return number;
  }

  std::optional<ClockEvent> EventOf(const Json& event, Process process, const std::string& place) {
    if (!event.is_object()) {
      Fault(place, fmt::format("{} is no event", script::Show(event)));
      return std::nullopt;
    }
    ClockEvent read{.process = process, .place = place};
    const auto request = Number(event, {"customer-request-id", "request-id"}, place);
    const auto clock = Number(event, {"logical-clock", "clock"}, place);
    if (!request || !clock) return std::nullopt;
    read.request = *request;
    read.clock = *clock;
    const std::string word = WordOf(event, {"interface"});
    const auto interface = InterfaceOf(word, &read.propagated);
    if (!interface) {
      Fault(place, fmt::format("its interface is \"{}\", which is none of deposit, withdraw, "
                               "propogate_deposit, propogate_withdraw",
                               OneLine(word, 40)));
      return std::nullopt;
    }
    read.interface = *interface;
    if (!ReadComment(WordOf(event, {"comment"}), &read)) {
      Fault(place, fmt::format("its comment is \"{}\", which is none of {}",
                               OneLine(WordOf(event, {"comment"}), 60), kComments));
      return std::nullopt;
    }
    return read;
  }

  void ReadList(const Json& element, const std::string& place) {
    const std::string type = WordOf(element, {"type"});
    const Json* id = FieldOf(element, {"id"});
    const auto number = id == nullptr ? std::nullopt : WholeNumber(*id);
    const Json& list = *ListOf(element);
    Process process{.is_branch = type == "branch" || type == "bank", .id = number.value_or(0)};
    if (!process.is_branch && type != "customer" && type != "client") {
      process.is_branch =
          !list.empty() &&
          WordOf(list.front(), {"comment"}).find("sent from customer") == std::string::npos;
      if (!type.empty())
        Fault(place, fmt::format("its type is \"{}\", neither customer nor branch", type));
    }
    if (!number) Fault(place, "it has no id that is a number");
    (process.is_branch ? output_.has_branches : output_.has_customers) = true;
    size_t event_number = 0;
    for (const Json& event : list) {
      const std::string at = fmt::format("{}, event {}", place, ++event_number);
      if (auto read = EventOf(event, process, at)) output_.by_process.push_back(*std::move(read));
    }
  }

  void ReadFlat(const Json& event, const std::string& place) {
    const auto id = Number(event, {"id"}, place);
    if (!id) return;
    const std::string type = WordOf(event, {"type"});
    Process process{.is_branch = type == "branch" || type == "bank", .id = *id};
    if (!process.is_branch && type != "customer" && type != "client") {
      if (!type.empty()) {
        Fault(place, fmt::format("its type is \"{}\", neither customer nor branch", type));
        return;
      }
      process.is_branch =
          WordOf(event, {"comment"}).find("sent from customer") == std::string::npos;
    }
    if (auto read = EventOf(event, process, place)) output_.flat.push_back(*std::move(read));
  }

  void ReadBlock(const Json& element, const std::string& place) {
    const bool by_branch = FieldOf(element, {"pid"}) != nullptr;
    const auto id =
        Number(element,
               by_branch ? std::initializer_list<std::string_view>{"pid"}
                         : std::initializer_list<std::string_view>{"eventid", "event-id"},
               place);
    const Json* data = FieldOf(element, {"data"});
    if (!id) return;
    if (!data->is_array()) return Fault(place, "its \"data\" is no array");
    size_t number = 0;
    for (const Json& event : *data) {
      const std::string at = fmt::format("{}, event {}", place, ++number);
      BlockEvent read{.place = at};
      const auto write = by_branch ? Number(event, {"id", "eventid", "event-id"}, at) : id;
      const auto clock = Number(event, {"clock", "logical-clock"}, at);
      if (!write || !clock) continue;
      read.pid = by_branch ? *id : 0;
      read.event = *write;
      read.clock = *clock;
      if (!ReadName(WordOf(event, {"name", "interface"}), &read)) {
        Fault(at, fmt::format("its name is \"{}\", which is no sub-event like deposit_request",
                              OneLine(WordOf(event, {"name", "interface"}), 40)));
        continue;
      }
      if (read.interface == Interface::kQuery) continue;
      (by_branch ? output_.by_branch : output_.by_write).push_back(std::move(read));
    }
  }

  // "deposit_propagate_request", "deposit_broadcast_request", "Deposit_Request".
  static bool ReadName(const std::string& name, BlockEvent* event) {
    const std::vector<std::string> words =
        absl::StrSplit(name, absl::ByAnyChar("- "), absl::SkipEmpty());
    if (words.size() != 2 && words.size() != 3) return false;
    bool unused = false;
    const auto interface = InterfaceOf(words[0], &unused);
    const bool propagated = words.size() == 3;
    if (!interface) return false;
    if (propagated && words[1] != "propagate" && words[1] != "propogate" &&
        words[1] != "broadcast") {
      return false;
    }
    event->interface = *interface;
    if (words.back() == "request") {
      event->kind = propagated ? SubEvent::kPropagateRequest : SubEvent::kRequest;
    } else if (words.back() == "execute") {
      event->kind = propagated ? SubEvent::kPropagateExecute : SubEvent::kExecute;
    } else if (words.back() == "response") {
      event->kind = propagated ? SubEvent::kPropagateResponse : SubEvent::kResponse;
    } else {
      return false;
    }
    return true;
  }

  const bool name_files_;
  Grade* const grade_;
  ClockOutput output_;
  std::vector<Unread> faults_;
  size_t bare_ids_ = 0;
};

}  // namespace

std::string ProcessName(Process process) {
  return fmt::format("{} {}", process.is_branch ? "branch" : "customer", process.id);
}

std::string DescribeEvent(const ClockEvent& event) {
  const std::string what =
      fmt::format("the {}{} of request {}", event.propagated ? "propagated " : "",
                  script::InterfaceName(event.interface), event.request);
  if (event.sent) {
    const std::string to =
        event.partner.is_branch ? " to " + ProcessName(event.partner) : std::string();
    return fmt::format("{} sends {}{} at clock {}", ProcessName(event.process), what, to,
                       event.clock);
  }
  return fmt::format("{} receives {} from {} at clock {}", ProcessName(event.process), what,
                     ProcessName(event.partner), event.clock);
}

std::string DescribeEvent(const BlockEvent& event) {
  static constexpr std::string_view kNames[] = {
      "request", "execute", "propagate_request", "propagate_execute", "propagate_response",
      "response"};
  return fmt::format("{}_{} of event {}{} at clock {}", script::InterfaceName(event.interface),
                     kNames[static_cast<size_t>(event.kind)], event.event,
                     event.pid == 0 ? "" : fmt::format(" at branch {}", event.pid), event.clock);
}

unsigned PartsOf(const std::vector<Json>& elements) {
  unsigned parts = 0;
  for (const Json& element : elements) {
    if (IsBlock(element)) {
      parts |= FieldOf(element, {"pid"}) != nullptr ? kBranchPart : kFlatPart;
    } else if (IsFlat(element)) {
      parts |= kFlatPart;
    } else if (ListOf(element) != nullptr) {
      const Json& list = *ListOf(element);
      const bool is_input =
          !list.empty() && FieldOf(list.front(), {"logical-clock", "clock", "comment"}) == nullptr;
      if (is_input) continue;
      const std::string type = WordOf(element, {"type"});
      parts |= type == "branch" || type == "bank" ? kBranchPart : kCustomerPart;
    }
  }
  return parts;
}

absl::StatusOr<ClockOutput> ReadClockEvents(const std::vector<OutputFile>& files, Grade* grade) {
  Reader reader(files.size() > 1, grade);
  for (const OutputFile& file : files) reader.Read(file);
  return reader.Take(files.empty() ? "" : files.front().name);
}

}  // namespace bank::checker::course
