#include "course/script.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "course/json_fields.h"

namespace bank::script {
namespace {

absl::StatusOr<Interface> ParseInterface(const Json& value, const Place& place) {
  if (value.is_string()) {
    const std::string name = Normalized(value.get_ref<const std::string&>());
    for (Interface interface : {Interface::kQuery, Interface::kDeposit, Interface::kWithdraw}) {
      if (name == InterfaceName(interface)) return interface;
    }
  }
  return place.Error(absl::StrCat(Show(value), " is not one of query, deposit, withdraw"));
}

// Of whatever is no such number, or is there twice, nothing is made: ids are never keys.
std::optional<int64_t> EventId(const Json& event, const Place& place) {
  for (absl::string_view key : {"customer-request-id", "id"}) {
    const absl::StatusOr<const Json*> id = Find(event, {key}, place);
    if (!id.ok()) return std::nullopt;
    if (*id == nullptr) continue;
    const absl::StatusOr<int64_t> number = Integer(**id, 0, kMoneyMax, place);
    return number.ok() ? std::optional<int64_t>(*number) : std::nullopt;
  }
  return std::nullopt;
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
  operation.id = EventId(event, place);
  return operation;
}

absl::StatusOr<Entry> ParseCustomer(const Json& element, int64_t id, const Place& place) {
  Entry entry;
  entry.customer = static_cast<uint64_t>(id);
  absl::StatusOr<const Json*> events = Require(element, {"events", "customer-requests"}, place);
  if (!events.ok()) return events.status();
  const absl::StatusOr<const Json*> requests = Find(element, {"customer-requests"}, place);
  entry.customer_requests = requests.ok() && *requests != nullptr;
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
    entry->element = number;
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
  absl::StatusOr<std::string> strict = StrictText(file, text);
  if (!strict.ok()) return strict.status();
  absl::StatusOr<Json> root = ParseJson(file, *strict);
  if (!root.ok()) return root.status();
  return Reader(name).Run(*root);
}

}  // namespace bank::script
