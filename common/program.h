// What every program does around its work, whatever that is: it keeps the standard streams apart
// from files, and does not say that all is well when what it printed was lost.
#pragma once

#include <functional>
#include <string_view>

namespace bank {

// Runs `work` and gives back main()'s exit code: the one of `work`, or kExitUnavailable with one
// line on standard error if that was kExitOk and standard output could not be written (a full disk,
// say). First sees to it that the descriptors 0, 1 and 2 are open, on nothing if need be: otherwise
// the first file of the program would be its standard output, and get what is printed.
int RunProgram(std::string_view name, const std::function<int()>& work);

// Flushes what was printed to standard output, by any of C++'s and C's ways. False, with one line
// on standard error the first time, if something printed so far was lost.
bool FlushOutput(std::string_view name);

}  // namespace bank
