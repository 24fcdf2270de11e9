"""Pulay stress of a level: (2/3) E_cut dE/dE_cut / (N V) per atom, and a check against dE/dV."""
import numpy as np
from dataclasses import replace
from pathlib import Path
from ase.build import bulk
from mlpzoo.data.espresso_engine import PwEngine, ANY_CELL
e=PwEngine()
lev=replace(ANY_CELL,symmetry=True,conv_thr_ry_per_atom=1e-12)
def run(a,ec=18.0,rattle=0):
    x=bulk("Si",cubic=True,a=a)
    if rattle: x.rattle(rattle,seed=1)
    l=replace(lev,ecutwfc_ry=ec,symmetry=not rattle)
    o=e.run(x,l,Path(f"pl")); return o,x
for a,r in ((5.476,0),(5.2,0),(5.7,0),(5.476,0.15)):
    Es={ec:run(a,ec,r)[0].energy_ev for ec in (17,17.5,18.5,19)}
    d=(Es[18.5]-Es[17.5])/1.0/8; d2=(Es[19]-Es[17])/2/8
    o,x=run(a,18,r); s=np.mean(o.stress_ev_per_ang3[:3])
    up=run(a*1.004,18,0)[0].energy_ev if not r else 0; dn=run(a*0.996,18,0)[0].energy_ev if not r else 0
    dv=((a*1.004)**3-(a*0.996)**3)
    print(a,r,"const eV/atom",18*2/3*d,18*2/3*d2,"raw GPa",s*160.2177,"corr",(s+12*d*8/x.get_volume())*160.2177,"dE/dV",(up-dn)/dv*160.2177 if not r else None,flush=True)
