// Which of the course's three projects an input belongs to, by its form alone:
//
//   1  one replicated balance    customers have `events`, and no event names a branch
//   2  logical clocks            customers have `customer-requests`: deposits and withdrawals
//   3  client-centric reads      customers have `events`, and some event names its branch
//
// An input may be run or judged as another project than its form says: the form of project 1 was
// that of project 2 until 2023. That is for whoever asks to say. Pure.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "course/script.h"

namespace bank::script {

enum class Project { kOneBalance = 1, kLogicalClocks = 2, kClientCentric = 3 };

// "project 1 (one replicated balance)".
std::string_view ProjectName(Project project);

// InvalidArgument if the form fits none of them, or two; its message is one line that begins with
// `name` and says why. An input without any event is of project 1.
absl::StatusOr<Project> RecognizeProject(std::string_view name, const Script& script);

// Whether an input can be run as this project, whatever its form: project 2 has no queries.
// InvalidArgument, one line that begins with `name`.
absl::Status CheckProject(std::string_view name, const Script& script, Project project);

}  // namespace bank::script
