/* Steps on a quadratic with slopes q at x and Hessian H (k, k), plus the penalty of an elastic net with bounds.

   The scalar loops of coordinate descent and of Newton steps: no vectors, and so one copy for all levels. */
#define FIRST_SWEEPS 60                            /* of descent, which is often done by then */
#define SPARSE_FIRST 15                            /* the same of sparse columns, whose steps are rougher */
#define MOST_FACES 2                               /* turns of descent and faces: a point on the way to the least value is a step too */
#define MOST_TURNS 30                              /* of conjugate gradients, before descent looks at the signs again */

typedef struct { int k; const double *l1, *l2, *lower, *upper; } penalty;

/* The best value of one coefficient: q is the slope of the quadratic at x, h its curvature. */
static inline double best(double q, double h, double x, double l1, double l2, double lower, double upper)
{
    if (h + l2 <= 0 || l1 == INFINITY) return x;
    double u = h * x - q, size = fabs(u) - l1;
    double new = size <= 0 ? 0 : (u > 0 ? size : -size) / (h + l2);
    return fmin(fmax(new, lower), upper);
}

/* The slope of the quadratic and the penalty, of a coefficient that can move both ways without a kink; else 0. */
static inline double face_slope(double q, double x, double l1, double l2, double lower, double upper)
{
    if ((x == 0 && l1 > 0) || !(lower < x && x < upper) || l1 == INFINITY) return 0;
    return q + l2 * x + (x > 0 ? l1 : -l1);
}

/* The first of coefficients `at` (m) that a step t d brings to 0, where it has a kink, or to a bound, `end`; t is cut to it.
   -1 if none does. */
static int first_stop(const int64_t *at, int m, const double *d, const double *x, const double *l1, const double *lower,
                      const double *upper, double *t, double *end)
{
    int first = -1;
    for (int a = 0; a < m; a++) {
        int64_t j = at[a];
        double limit = d[a] > 0 ? upper[j] : lower[j];
        if (l1[j] > 0 && x[j] * d[a] < 0 && limit * x[j] < 0) limit = 0;
        if (d[a] != 0 && fabs(d[a]) * *t >= fabs(limit - x[j])) {
            *t = (limit - x[j]) / d[a];
            *end = limit;
            first = a;
        }
    }
    return first;
}

/* Omega */
static double penalty_value(const penalty *of, const double *theta)
{
    double total = 0;
    for (int j = 0; j < of->k; j++)
        if (theta[j] != 0) total += of->l1[j] * fabs(theta[j]) + 0.5 * of->l2[j] * theta[j] * theta[j];
    return total;
}

/* The largest of `Penalty.violation` */
static double violation(const penalty *of, const double *q, const double *x)
{
    double most = 0;
    for (int j = 0; j < of->k; j++) {
        double slope = q[j] + of->l2[j] * x[j], l1 = of->l1[j];
        if (l1 < INFINITY && x[j] < of->upper[j]) most = fmax(most, -(slope + (x[j] >= 0 ? l1 : -l1)));
        if (l1 < INFINITY && x[j] > of->lower[j]) most = fmax(most, slope + (x[j] > 0 ? l1 : -l1));
    }
    return most;
}

static void move(const penalty *of, const double *H, int j, double new, double *q, double *x)
{
    double d = new - x[j];
    if (d == 0) return;
    x[j] = new;
    for (int i = 0; i < of->k; i++) q[i] += d * H[(ptrdiff_t)j * of->k + i];
}

/* The step d of the first m coefficients of `at` to the least value with their signs as they are: a Cholesky factor in
   M (k, k). A share of 1e-10 on the diagonal lets collinear columns be factored, and the step still points downhill; what
   depends on others but for rounding stays where it is. */
static void newton_step(const penalty *of, const double *H, const double *q, const double *x, const int *at, int m,
                        double *M, double *d)
{
    ptrdiff_t k = of->k;
    for (int a = 0; a < m; a++) {
        int j = at[a];
        double *row = M + a * k;
        d[a] = -(q[j] + of->l2[j] * x[j] + (x[j] > 0 ? of->l1[j] : -of->l1[j]));
        for (int b = 0; b <= a; b++) {
            double total = H[j * k + at[b]];
            if (a == b) total += 1e-10 * total + of->l2[j];
            for (int c = 0; c < b; c++) total -= row[c] * M[b * k + c];
            if (a == b) row[a] = total > 0 ? sqrt(total) : INFINITY;
            else row[b] = total / M[b * k + b];
        }
        for (int c = 0; c < a; c++) d[a] -= row[c] * d[c];
        d[a] /= row[a];
    }
    for (int a = m - 1; a >= 0; a--) {
        d[a] /= M[a * k + a];
        for (int c = 0; c < a; c++) d[c] -= M[a * k + c] * d[a];
    }
}

/* A Newton step of what is inside, which ends where the first coefficient comes to 0 or to a bound; 1 if none does. */
static int along_face(const penalty *of, const double *H, double *q, double *x, int *at, double *M, double *d)
{
    int m = 0, first = -1;
    double t = 1, end = 0;
    for (int j = 0; j < of->k; j++)
        if ((x[j] != 0 || of->l1[j] == 0) && of->lower[j] < x[j] && x[j] < of->upper[j] && of->l1[j] < INFINITY) at[m++] = j;
    newton_step(of, H, q, x, at, m, M, d);
    for (int a = 0; a < m; a++) {
        int j = at[a];
        double limit = d[a] > 0 ? of->upper[j] : of->lower[j];
        if (of->l1[j] > 0 && x[j] * d[a] < 0 && limit * x[j] < 0) limit = 0;
        if (fabs(d[a]) * t >= fabs(limit - x[j])) {
            t = (limit - x[j]) / d[a];
            first = a;
            end = limit;
        }
    }
    for (int a = 0; a < m; a++) move(of, H, at[a], a == first ? end : x[at[a]] + t * d[a], q, x);
    return first < 0;
}

/* The least of the quadratic and the penalty, in place: descent finds the signs, Newton the values. */
static void minimize_model(const penalty *of, const double *H, double *q, double *x, int *at, double *M, double *d)
{
    double goal = 1e-4 * violation(of, q, x);
    for (int turn = 0; turn < MOST_FACES; turn++) {
        for (int j = 0; j < of->k; j++)
            move(of, H, j, best(q[j], H[(ptrdiff_t)j * of->k + j], x[j], of->l1[j], of->l2[j], of->lower[j], of->upper[j]),
                 q, x);
        for (int face = 0; face < 20 && !along_face(of, H, q, x, at, M, d); face++);
        if (violation(of, q, x) <= goal) return;
    }
}

/* Omega_j(theta) - v theta + Omega_j*(v), of one coefficient */
static double conjugate_term(double theta, double v, double l1, double l2, double lower, double upper)
{
    double pull = fabs(v) - l1, at = 0;
    if (pull > 0) {
        at = l2 > 0 ? pull / l2 : INFINITY;
        at = v > 0 ? fmin(at, upper) : fmax(-at, lower);
        if (fabs(at) == INFINITY) at = 0;          /* v is within l1 but for rounding */
    }
    at = fmin(fmax(at, lower), upper);
    double apart = theta - at;
    double term = (l1 == INFINITY ? 0 : l1) * (fabs(theta) - fabs(at)) - v * apart;
    if (apart != 0) term += 0.5 * l2 * apart * (theta + at);
    return fmax(term, 0);
}

/* `Penalty.gap` where at most coefficient 0 is without penalty and bounds; the others' share is only estimated.
   g, first: the gradient and column 0 of the Hessian at theta; H: about the Hessian; v: room for the dual point */
static double dual_gap(const penalty *of, const double *theta, const double *g, const double *first, const double *H,
                       double loss, double odds, double *v)
{
    const double *l1 = of->l1, *l2 = of->l2, *lower = of->lower, *upper = of->upper;
    int is_free = l1[0] == 0 && l2[0] == 0 && lower[0] < theta[0] && theta[0] < upper[0] && first[0] > 0;
    double step = is_free ? g[0] / first[0] : 0, size = fabs(step), needed = 1, within = 1, least = INFINITY;
    double base = size <= 1 ? 0.5 * (1 + size) * step * g[0] : INFINITY;   /* see `freed_gap` */
    for (int j = 0; j < of->k; j++) {
        double bend = H[(ptrdiff_t)j * of->k + j];
        int inside = l1[j] == 0 && l2[j] == 0 && lower[j] < theta[j] && theta[j] < upper[j];
        v[j] = first[j] * step - g[j];
        if (inside && (j > 0 ? bend > 0 : is_free)) {
            if (j > 0) base += 0.5 * g[j] * g[j] / bend;
            v[j] = 0;
        } else if (fabs(v[j]) > l1[j]) {
            within = fmin(within, l1[j] / fabs(v[j]));
            if (l2[j] == 0 && fabs(v[j] > 0 ? upper[j] : lower[j]) == INFINITY) needed = fmin(needed, l1[j] / fabs(v[j]));
        }
    }
    for (int turn = 0; turn < 2; turn++) {
        double c = turn ? within : needed, rest = c > 0 ? 0.5 * (1 - c) * (1 - c) / c * odds : INFINITY;
        double total = fmin((1 - c) * loss, rest);
        for (int j = 0; j < of->k; j++) total += conjugate_term(theta[j], c * v[j], l1[j], l2[j], lower[j], upper[j]);
        least = fmin(least, total);
    }
    return base + least;
}
