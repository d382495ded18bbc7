// The judge of answers to the course's files, whoever's program wrote them.
//
// It has a model of its own of what is right. Of the bank it knows nothing; with the bank's
// customers it shares the reader of inputs (course/). Pure.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "checker/course/balances.h"
#include "checker/course/clock_events.h"
#include "checker/course/grade.h"
#include "course/project.h"
#include "course/script.h"

namespace bank::checker::course {

struct CourseOptions {
  script::Project project = script::Project::kOneBalance;
  Order order = Order::kSequential;  // projects 1 and 3
  bool sessions = false;             // project 3: only what the guarantees force
  bool strict = false;               // project 2: every clock is exactly max+1
};

// `files` are one submission: one file, or the parts of project 2. InvalidArgument: they are no
// output of that project; one line that begins with a file's name. Stops searching when
// `out_of_time` says so; then the grade may be undecided, never wrong for that reason.
absl::StatusOr<Grade> JudgeOutput(const script::Script& script,
                                  const std::vector<OutputFile>& files,
                                  const CourseOptions& options,
                                  const std::function<bool()>& out_of_time);

// Files as they were named, put together to submissions: the parts of project 2 may stand in two or
// three files that follow each other, each with parts that those before it lack. Numbers of files.
std::vector<std::vector<size_t>> GroupFiles(const std::vector<OutputFile>& files,
                                            script::Project project);

}  // namespace bank::checker::course
