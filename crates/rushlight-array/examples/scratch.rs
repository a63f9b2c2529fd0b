//! x
use rushlight_array::*;
use rushlight_array::random::Generator;
use std::time::Instant;
fn time(name: &str, reps: usize, f: impl Fn()) {
    f();
    let best = (0..reps).map(|_| { let t = Instant::now(); f(); t.elapsed().as_secs_f64() }).fold(f64::INFINITY, f64::min);
    println!("{name} {:.3} ms", best * 1e3);
}
fn main() {
    let threads: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    set_num_threads(threads);
    for n in [316usize, 3162] {
        let reps = if n > 1000 { 4 } else { 200 };
        let g = Generator::new(1);
        let x = Array::normal([n, n], 0.0, 1.0, DType::F32, &g);
        let d = x.matmul(&x.t()).add(&Array::eye(n, n, DType::F32).scale(n as f64));
        let l = d.cholesky().0;
        time(&format!("matmul {n}"), reps, || { x.matmul(&d); });
        time(&format!("cholesky {n}"), reps, || { d.cholesky(); });
        time(&format!("cholesky_inverse {n}"), reps, || { l.cholesky_inverse(); });
        time(&format!("cholesky_solve {n}"), reps, || { let y = l.solve_triangular(&x, false, false); l.t().solve_triangular(&y, true, false); });
        time(&format!("det {n}"), reps, || { x.lu().det(); });
        time(&format!("inv {n}"), reps, || { x.lu().inverse(); });
        time(&format!("outer {n}"), reps, || { x.select(0,0).unsqueeze(1).mul(&x.select(0,1)); });
        time(&format!("addr {n}"), reps, || { x.select(0,0).unsqueeze(1).mul(&x.select(0,1)).into_binary(backend::Binary::Add, &d); });
        time(&format!("mv {n}"), reps, || { x.matmul(&d.select(0, 0)); });
        let flat = x.reshape([-1]); let m = flat.numel()/3;
        let c = flat.narrow(0, 0, 3*m).reshape([m, 3]);
        time(&format!("cross {n}"), reps, || { c.cross(&c, 1); });
        time(&format!("dot {n}"), reps, || { flat.matmul(&flat); });
        if n < 1000 { time("svd 316", 2, || { x.svd(false); }); time("eigh 316", 2, || { d.eigh(); }); time("qr 316", 5, || { d.qr(false); }); }
    }
}
