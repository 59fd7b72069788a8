# Lasso paths by R's glmnet, timed inside R, for the comparison in this folder.
#
# Usage: Rscript --vanilla glmnet_path.R FOLDER N_SAMPLES N_FEATURES N_ALPHAS KIND
#
# FOLDER holds y.bin, alphas.bin and, for KIND "dense", X.bin (doubles by columns), for KIND
# "sparse" data.bin (doubles), indices.bin and indptr.bin (32-bit integers) of a CSC matrix. Says
# "ready VERSION R_VERSION", then answers each line "run TOLERANCE TYPE" with the seconds of one
# call, and "write" by writing the last coefficients to coefs.bin, by columns, and saying "written".

suppressPackageStartupMessages(library(glmnet))
given <- commandArgs(trailingOnly = TRUE)
folder <- given[1]
n <- as.integer(given[2])
p <- as.integer(given[3])
n_alphas <- as.integer(given[4])

read <- function(name, what) {
  path <- file.path(folder, paste0(name, ".bin"))
  size <- if (what == "double") 8L else 4L
  readBin(path, what, n = file.size(path) / size, size = size)
}
say <- function(...) {
  cat(..., "\n")
  flush(stdout())
}

y <- read("y", "double")
alphas <- read("alphas", "double")
if (given[5] == "dense") {
  X <- matrix(read("X", "double"), n, p)
} else {
  X <- new("dgCMatrix", i = read("indices", "integer"), p = read("indptr", "integer"),
           x = read("data", "double"), Dim = c(n, p))
}
# no early end of the path: every alpha is asked for
glmnet.control(fdev = 0, devmax = 1)
say("ready", as.character(packageVersion("glmnet")), paste0(R.version$major, ".", R.version$minor))

commands <- file("stdin", "r")
while (length(line <- readLines(commands, 1)) > 0) {
  words <- strsplit(line, " ")[[1]]
  if (words[1] == "run") {
    invisible(gc())
    failure <- tryCatch({
      start <- Sys.time()
      fit <- suppressWarnings(glmnet(X, y, alpha = 1, lambda = alphas, standardize = FALSE,
                                     intercept = TRUE, thresh = as.double(words[2]),
                                     maxit = 10000000L, type.gaussian = words[3]))
      seconds <- as.double(difftime(Sys.time(), start, units = "secs"))
      NULL
    }, error = conditionMessage)
    if (is.null(failure)) {
      say(format(seconds, digits = 9, scientific = TRUE))
    } else {
      say("error", gsub("\n", " ", failure))
    }
  } else {
    writeBin(as.double(as.matrix(fit$beta)), file.path(folder, "coefs.bin"))
    say("written")
  }
}
