// Grades as text: for the one who wrote the program, for a script, for a table of fifty.
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checker/course/judge.h"

namespace bank::checker::course {

struct Graded {
  std::string name;  // of its file, or of the first of its files
  size_t files = 1;
  absl::Status read = {};  // not OK: it could not be read, and there is no grade
  Grade grade = {};
};

// One submission: all its faults. Several: a row for each.
std::string CourseTable(const std::vector<Graded>& all, const CourseOptions& options);
// {"project":1,"order":"sequential","outputs":[{"output":...,"verdict":...,"faults":[...]}]}
std::string CourseJson(const std::vector<Graded>& all, const CourseOptions& options);
// A line with the names of its fields, and a line for each submission.
std::string CourseCsv(const std::vector<Graded>& all);

}  // namespace bank::checker::course
