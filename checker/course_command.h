// checker course: the program's part of judging answers to the course's files.
#pragma once

namespace bank::checker {

// `argv` begins with the command's name. The program's exit code: 0 all right, 1 usage, 2 not
// readable, 4 undecided, 6 a wrong answer; 6 before 2 before 4, if there are several outputs.
int CourseMain(int argc, char** argv);

}  // namespace bank::checker
