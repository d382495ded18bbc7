// Right outputs of random inputs of the course, made by running them: a bank of one number for
// projects 1 and 3, branches with clocks and messages that are delivered in random order for
// project 2. Nothing of the judge is in it.
#pragma once

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "checker/course/judge.h"

namespace bank::checker::course {

using script::Json;
using Random = std::mt19937_64;

struct CourseCase {
  Json input = Json::array();
  Json output = Json::array();
  CourseOptions options = {};
};

struct CaseSize {
  size_t entries = 3;
  size_t operations_max = 3;  // of an entry
};

// Project 1 or 3, in an order; with kConcurrent, any order of the entries' operations.
CourseCase BalanceCase(Random* random, script::Project project, Order order, CaseSize size);

// Project 2, in the form since 2023: customers, branches, then the flat list, in one array.
// `refused` withdrawals ask for more than there can ever be.
CourseCase ClockCase(Random* random, size_t branches, size_t requests_max, bool refused);

// The same in the form of 2021.
CourseCase BlockCase(Random* random, size_t branches, size_t requests_max, bool refused);

// Judges `output` as the answer to `test`'s input; every budget suffices.
Grade GradeOf(const CourseCase& test, const Json& output);

}  // namespace bank::checker::course
