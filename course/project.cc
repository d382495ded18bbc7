#include "course/project.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "course/json_fields.h"

namespace bank::script {
namespace {

constexpr const char* kSayWhich = "; say which project it is (--project)";

// The first thing of its kind in the input: "element 2 (customer 1), event 3"; "": there is none.
struct Marks {
  std::string requests;         // a customer with `customer-requests`
  std::string events;           // a customer with `events`
  std::string named_branch;     // an event that names its branch
  std::string requested_query;  // a query among `customer-requests`
};

void Note(std::string* mark, const Entry& entry, size_t event) {
  if (!mark->empty()) return;
  *mark = absl::StrCat("element ", entry.element, " (customer ", entry.customer, ")");
  if (event != 0) absl::StrAppend(mark, ", event ", event);
}

Marks MarksOf(const Script& script) {
  Marks marks;
  for (const Entry& entry : script.entries) {
    Note(entry.customer_requests ? &marks.requests : &marks.events, entry, 0);
    size_t number = 0;
    for (const Operation& operation : entry.operations) {
      ++number;
      if (operation.branch_named) Note(&marks.named_branch, entry, number);
      if (entry.customer_requests && operation.interface == Interface::kQuery) {
        Note(&marks.requested_query, entry, number);
      }
    }
  }
  return marks;
}

}  // namespace

std::string_view ProjectName(Project project) {
  switch (project) {
    case Project::kOneBalance:
      return "project 1 (one replicated balance)";
    case Project::kLogicalClocks:
      return "project 2 (logical clocks)";
    case Project::kClientCentric:
      return "project 3 (client-centric consistency)";
  }
  return "";
}

absl::StatusOr<Project> RecognizeProject(std::string_view name, const Script& script) {
  const Place file{std::string(name)};
  const Marks marks = MarksOf(script);
  if (marks.requests.empty()) {
    return marks.named_branch.empty() ? Project::kOneBalance : Project::kClientCentric;
  }
  if (!marks.events.empty()) {
    return file.Error(absl::StrCat("its form fits two projects: ", marks.requests,
                                   " has \"customer-requests\" as in project 2, ", marks.events,
                                   " has \"events\" as in projects 1 and 3", kSayWhich));
  }
  if (!marks.named_branch.empty()) {
    return file.Error(absl::StrCat(
        "its form fits two projects: it has \"customer-requests\" as in project 2, and ",
        marks.named_branch, " names a branch as in project 3", kSayWhich));
  }
  if (!marks.requested_query.empty()) {
    return file.Error(absl::StrCat(
        "its form fits no project: it has \"customer-requests\" as in project 2, whose requests "
        "are deposits and withdrawals alone, and ",
        marks.requested_query, " is a query", kSayWhich));
  }
  return Project::kLogicalClocks;
}

absl::Status CheckProject(std::string_view name, const Script& script, Project project) {
  if (project != Project::kLogicalClocks) return absl::OkStatus();
  for (const Entry& entry : script.entries) {
    size_t number = 0;
    for (const Operation& operation : entry.operations) {
      ++number;
      if (operation.interface != Interface::kQuery) continue;
      const Place place{absl::StrCat(std::string(name), ": element ", entry.element, " (customer ",
                                     entry.customer, "), event ", number)};
      return place.Error("project 2 has deposits and withdrawals only, and this is a query");
    }
  }
  return absl::OkStatus();
}

}  // namespace bank::script
