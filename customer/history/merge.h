// Joins the histories of several customers of one machine into one, in order of `ns`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/output_file.h"
#include "customer/history/event.h"

namespace bank::history {

// Writes `header` and the lines of `parts` (without their headers) to `place`, whole. Equal stamps
// come in the order of `parts`. A last line without its end, of a customer that died, is dropped.
// InvalidArgument for a line without a stamp; an error of the file system otherwise.
absl::Status Merge(const Header& header, const std::vector<std::string>& parts, OutputPlace place);

}  // namespace bank::history
