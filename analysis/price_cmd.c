#include "analysis/price_cmd.h"

#include <string.h>

#include "analysis/price_bill.h"
#include "analysis/price_break_even.h"
#include "analysis/price_commit.h"

/* A folder that is called "commit" is had as ./commit. */
bool price_command(int argc, char *const argv[], struct error *error)
{
    if (argc > 0 && strcmp(argv[0], "commit") == 0)
        return price_commit_command(argc - 1, argv + 1, error);
    if (argc > 0 && strcmp(argv[0], "break-even") == 0)
        return price_break_even_command(argc - 1, argv + 1, error);
    return price_bill_command(argc, argv, error);
}
